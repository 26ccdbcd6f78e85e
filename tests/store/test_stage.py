"""The commit protocol: what counts as done, what is redone, what goes on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from dq.corpus import ReadConfig
from dq.errors import WorkspaceError
from dq.store import Stage, file_sha256, read_record, write_bytes_atomic
from tests.processes import finish, python, until


def stage(folder: Path, *, version: int = 1, config: object = None, **inputs: str) -> Stage:
    return Stage("demo", version, folder / "out", config=config or {"k": 1}, inputs=inputs or {"corpus": "abc"})


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "out").iterdir()}


def test_an_output_without_its_record_does_not_exist(tmp_path: Path) -> None:
    made = stage(tmp_path)
    assert made.done() is None
    made.start()
    write_bytes_atomic(made.folder / "00000.bin", b"x")
    assert made.done() is None
    with pytest.raises(WorkspaceError, match=r"out: not finished; run `dq run"):
        read_record(made.folder)
    made.commit({"rows": 1})
    record = stage(tmp_path).done()
    assert record == read_record(made.folder)
    assert record is not None
    assert (record.stage, record.inputs, record.summary) == ("demo", {"corpus": "abc"}, {"rows": 1})
    assert names(tmp_path) == {"00000.bin", "stage.json"}


def test_another_configuration_version_or_input_is_another_output(tmp_path: Path) -> None:
    made = stage(tmp_path, config=ReadConfig())
    made.start()
    made.commit()
    assert stage(tmp_path, config=ReadConfig()).done() is not None
    for other in (
        stage(tmp_path, config=ReadConfig(shard_rows=1)),
        stage(tmp_path, config=ReadConfig(), version=2),
        stage(tmp_path, config=ReadConfig(), corpus="abd"),
        stage(tmp_path, config=ReadConfig(), corpus="abc", more="x"),
        Stage("other", 1, tmp_path / "out", config=ReadConfig(), inputs={"corpus": "abc"}),
    ):
        assert other.done() is None


def test_another_configuration_starts_from_an_empty_folder(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.start()
    write_bytes_atomic(made.folder / "00000.bin", b"x")
    (made.folder / "sub").mkdir()
    made.commit()
    other = stage(tmp_path, config={"k": 2})
    assert other.start() is False
    assert names(tmp_path) == {"started.json"}
    assert made.done() is None


def test_an_interrupted_attempt_goes_on_with_whole_shards_and_without_partial_ones(tmp_path: Path) -> None:
    made = stage(tmp_path)
    assert made.start() is False
    write_bytes_atomic(made.folder / "00000.bin", b"x")
    (made.folder / ".00001.bin.123.partial").write_bytes(b"half")
    assert made.start() is True
    assert names(tmp_path) == {"00000.bin", "started.json"}
    other = stage(tmp_path, corpus="changed")
    assert other.start() is False
    assert names(tmp_path) == {"started.json"}


def test_starting_again_what_is_done_makes_it_anew(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.start()
    write_bytes_atomic(made.folder / "00000.bin", b"x")
    made.commit()
    assert made.start() is False
    assert names(tmp_path) == {"started.json"}


KILLED_WHILE_CLEARING = """
import os, signal, sys
from pathlib import Path
from dq.store import Stage
left = 3  # the first is its own temporary file, the second the record
def die_at_the_last(event, _arguments):
    global left
    if event == "os.remove":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die_at_the_last)
Stage("demo", 1, Path(sys.argv[1]), config={"k": 2}, inputs={"corpus": "abc"}).start()
"""


def test_a_folder_being_cleared_by_a_killed_process_never_looks_finished(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.start()
    for number in range(10):
        write_bytes_atomic(made.folder / f"{number:05d}.bin", b"x")
    made.commit()
    with python(KILLED_WHILE_CLEARING, made.folder) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert len(list(made.folder.glob("*.bin"))) == 10
    assert made.done() is None
    stage(tmp_path, config={"k": 2}).start()
    assert names(tmp_path) == {"started.json"}


SHARDS = """
import os, sys, time
from pathlib import Path
from dq.store import Stage, write_bytes_atomic
stage = Stage("demo", 1, Path(sys.argv[1]) / "out", config={"k": 1}, inputs={"corpus": "abc"})
if stage.done() is None:
    resumed = stage.start()
    kept = sorted(path.name for path in stage.folder.glob("*.bin"))
    for number in range(60):
        path = stage.folder / f"{number:05d}.bin"
        if not path.exists():
            write_bytes_atomic(path, bytes([number]) * 200_000)
    stage.commit({"resumed": resumed, "kept": kept})
"""


def test_a_stage_killed_at_work_ends_with_the_bytes_of_an_uninterrupted_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with python(SHARDS, tmp_path / "a") as process:
        until((tmp_path / "a" / "out" / "00005.bin").exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert stage(tmp_path / "a").done() is None
    for name in ("a", "b"):
        assert finish(SHARDS, tmp_path / name).returncode == 0
    summary = read_record(tmp_path / "a" / "out").summary
    assert summary["resumed"] is True
    assert summary["kept"][:6] == [f"{number:05d}.bin" for number in range(6)]
    assert len(summary["kept"]) < 60
    assert names(tmp_path / "a") == names(tmp_path / "b") == {*(f"{n:05d}.bin" for n in range(60)), "stage.json"}
    for name in names(tmp_path / "b") - {"stage.json"}:
        assert file_sha256(tmp_path / "a" / "out" / name) == file_sha256(tmp_path / "b" / "out" / name)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"stage": "x"}', "\x00", "null", '{"stage'])
def test_a_damaged_record_is_one_line_that_says_what_to_delete(tmp_path: Path, content: str) -> None:
    made = stage(tmp_path)
    made.start()
    made.commit()
    (made.folder / "stage.json").write_text(content)
    with pytest.raises(WorkspaceError, match="delete") as caught:
        read_record(made.folder)
    assert "\n" not in str(caught.value)


def test_a_record_says_what_it_was_made_from_and_nothing_about_when_or_where(tmp_path: Path) -> None:
    made = stage(tmp_path, config=ReadConfig())
    made.start()
    made.commit({"rows": 3})
    first = (made.folder / "stage.json").read_bytes()
    made.start()
    made.commit({"rows": 3})
    assert (made.folder / "stage.json").read_bytes() == first
    content = json.loads(first)
    assert list(content) == ["stage", "version", "fingerprint", "inputs", "config", "summary", "files"]
    assert content["config"] == ReadConfig().model_dump(mode="json")
    assert str(tmp_path) not in first.decode()
