"""Input from the Hugging Face hub, a stand-in over HTTP on this machine: what lies there is read as it was listed."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import dq
from dq.corpus.inputs import find_inputs
from dq.corpus.places import patience, ranges
from dq.corpus.places.remote import _made
from dq.errors import InputError
from tests.command import run_dq
from tests.corpus.files import jsonl
from tests.files.hub import LARGE, TOKEN, Hub, Repository, served

huggingface_hub = pytest.importorskip("huggingface_hub")
ROWS = [{"id": f"d{n}", "source": "x", "text": f"Some words of document {n}, and {n * n}. " * 30} for n in range(400)]
LINES, RULES, HERE = jsonl(ROWS), dq.presets.c4(), "hf://datasets/me/words"
FILES = {
    "in/a.jsonl": LINES,
    "in/b.jsonl.gz": gzip.compress(LINES, mtime=0),
    "in/more é/c.json": json.dumps(ROWS[:9]).encode(),
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A private repository of some files; blocks are small, and nobody waits for long."""
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.01))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    for name, size in {"BLOCK_BYTES": 1 << 17, "FIRST_ENDS": (1 << 14, 1 << 16), "LAST_BYTES": 1 << 15}.items():
        monkeypatch.setattr(ranges, name, size)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with served() as found:
        found.repositories["me/words"] = Repository(private=True, files=dict(FILES))
        monkeypatch.setenv("HF_ENDPOINT", found.endpoint)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.endpoint)  # read once, at import
        template = f"{found.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        forget()
        yield found
        forget()


def forget() -> None:
    """Be as a process that begins."""
    _made.cache_clear()
    huggingface_hub.HfFileSystem.clear_instance_cache()


def kept(entry: Path | str, folder: Path) -> dict[str, bytes]:
    dq.filter_files([entry], RULES, kept=folder)
    return {one.name: one.read_bytes() for one in folder.glob("*.parquet")}


def test_folders_patterns_and_files_give_the_bytes_that_they_give_from_disk(hub: Hub, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert {name for name in FILES if not name.endswith(LARGE)}  # those that a commit holds, and those that LFS does
    for n, entry in enumerate(("in", "in/*.jsonl", "in/**/c.json", "in/b.jsonl.gz")):
        local, there = kept(tmp_path / entry, tmp_path / f"here{n}"), kept(f"{HERE}/{entry}", tmp_path / f"there{n}")
        assert local and there == local
    assert len(find_inputs([HERE]).files) == len(FILES)


def test_a_file_that_changes_or_goes_in_between_is_one_line(hub: Hub, tmp_path: Path) -> None:
    files = hub.repositories["me/words"].files
    for entry in (f"{HERE}/in", f"{HERE}/in/a.jsonl"):
        files.update(FILES)
        file = find_inputs([entry]).files[0].file
        known = file.contents()
        with file.open() as opened:
            assert opened.read() == LINES
        files["in/a.jsonl"] = LINES.replace(b"words", b"werds")  # of the same size
        with (
            pytest.raises(InputError, match=r"^hf://.*/a\.jsonl: has changed since it was listed"),
            file.open() as opened,
        ):
            opened.read()
        file = find_inputs([entry]).files[0].file
        assert file.contents() != known
        del files["in/a.jsonl"]
        with pytest.raises(InputError, match=r"^hf://.*/a\.jsonl: is not there any more"), file.open() as opened:
            opened.read()


def test_faults_that_pass_are_waited_for(hub: Hub, tmp_path: Path) -> None:
    calm = kept(f"{HERE}/in/a.jsonl", tmp_path / "calm")
    hub.faults = lambda _, path, before: 503 if before < (7 if "/resolve/" in path else 2) else None
    assert kept(f"{HERE}/in/a.jsonl", tmp_path / "storm") == calm


@pytest.mark.parametrize("token", ["", "hf_anotherSecretToken"])
def test_a_private_repository_is_one_line_without_the_token(
    token: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    for entry in (f"{HERE}/in", f"{HERE}/in/*.jsonl", f"{HERE}/in/a.jsonl"):
        done = run_dq("score", entry, "-o", "scores.parquet", cwd=tmp_path)
        assert done.returncode == 1
        assert entry in done.stderr and done.stderr.count("\n") == 1
        assert "HF_TOKEN" in done.stderr and TOKEN not in done.stderr and "Secret" not in done.stderr


def test_the_endpoint_of_the_environment_is_asked_from_the_command_line(hub: Hub, tmp_path: Path) -> None:
    hub.repositories["me/words"].private = False
    command = [
        sys.executable,
        "-m",
        "dq",
        "score",
        f"{HERE}/in",
        "--signals",
        "char_count",
        "-o",
        "scores.parquet",
        "--workers",
        "1",
    ]
    environment = {**os.environ, "HF_TOKEN": "", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(pl.read_parquet(tmp_path / "scores.parquet")) == 2 * len(ROWS) + 9
