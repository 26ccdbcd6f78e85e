"""Atomic writes, shown by killing the writer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from dq.errors import WorkspaceError
from dq.store import read_json, write_bytes_atomic, write_json_atomic, write_parquet
from tests.processes import python, until

WRITER = """
import sys
from pathlib import Path
from dq.store import write_bytes_atomic
path, number = Path(sys.argv[1]), 0
while True:
    write_bytes_atomic(path, str(number % 10).encode() * 3_000_000)
    number += 1
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    with python(WRITER, path) as process:
        until(path.exists)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    content = path.read_bytes()
    assert len(content) == 3_000_000
    assert len(set(content)) == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json_atomic(path, {"a": "é"})
    with pytest.raises(TypeError):
        write_json_atomic(path, {"a": object()})
    assert read_json(path) == {"a": "é"}
    assert [item.name for item in tmp_path.iterdir()] == ["file.json"]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path, reason in [
        (tmp_path / "none" / "x", "No such file or directory"),
        (tmp_path / "file" / "x", "Not a directory"),
        (tmp_path / "folder", "Is a directory"),
        (tmp_path / ("n" * 250), "File name too long"),
    ]:
        with pytest.raises(WorkspaceError) as caught:
            write_bytes_atomic(path, b"x")
        assert str(caught.value).startswith(f"{path}: cannot be written: {reason}")
        assert "\n" not in str(caught.value)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": range(5000), "b": [str(i % 7) for i in range(5000)]})
    write_parquet(tmp_path / "1.parquet", frame)
    write_parquet(tmp_path / "2.parquet", pl.concat([frame[:100], frame[100:]]).rechunk())
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "1.parquet").equals(frame)


def test_a_missing_or_damaged_json_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"x\.json: missing; run the stage that writes it"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b'{"a": \xff')
    with pytest.raises(WorkspaceError, match=r"x\.json: cannot be read .* delete it and run again"):
        read_json(tmp_path / "x.json")
