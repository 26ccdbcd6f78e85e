"""`filter` and `score` killed with SIGKILL, in real processes: the same call goes on to the same bytes.

What is finished is not done again, other settings do not replace it, and nothing of the interruption is left.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from dq.corpus.formats import jsonl
from dq.errors import WorkspaceError
from dq.executors import QUIET, LocalExecutor, Progress, Step
from dq.files import pieces
from dq.files.filter import filter_files
from dq.files.pieces import Scoring
from dq.files.score import score_files
from dq.quality import QuantileRule, Rule, RuleSet
from dq.store import FolderLock
from tests.processes import python, session_of, until

PIECE_BYTES, CHUNK_BYTES = 3_000, 1_000
RULES = RuleSet(
    name="mixed",
    rules=(
        Rule(signal="word_count", minimum=12, reason="too_few_words"),
        QuantileRule(signal="char_count", keep_fraction=0.5, reason="not_among_the_longest"),
    ),
)
PROGRAM = "import sys; from tests.files.test_interrupted import begin; begin(*sys.argv[1:])"


def begin(command: str, folder: str, workers: str, moment: str, place: str) -> None:
    """In a process of its own: run a command, and die before or after the file at ``place`` appears.

    Or, where the moment is ``pieces``, when so many are done.
    """
    move = pathlib.Path.replace

    def moved(self: Path, target: Path) -> Path:
        is_there = moment != "pieces" and Path(target).match(place)
        if is_there and moment == "after":
            move(self, target)
        if is_there:
            os.kill(os.getpid(), signal.SIGKILL)
        return move(self, target)

    pathlib.Path.replace = moved  # type: ignore[assignment,method-assign]
    pieces.PIECE_BYTES, jsonl.CHUNK_BYTES = PIECE_BYTES, CHUNK_BYTES
    progress = Dying(Path(folder), int(place)) if moment == "pieces" else QUIET
    run(command, Path(folder), workers=int(workers), progress=progress)


class Dying:
    """A progress, and a step of it, that ends its process when so many pieces are done."""

    def __init__(self, folder: Path, pieces: int) -> None:
        self._folder, self._pieces = folder, pieces

    def step(self, name: str, *, unit: str = "", total: float | None = None) -> AbstractContextManager[Step]:
        return nullcontext(self if name == "filter" else QUIET)

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        if len([*self._folder.rglob(".pieces/[0-9]*.json")]) >= self._pieces:
            os.kill(os.getpid(), signal.SIGKILL)


def run(
    command: str, folder: Path, *, workers: int = 1, source: Path | None = None, progress: Progress = QUIET
) -> dict[str, Any]:
    """The command on ``source`` or on the input beside ``folder``; what it says of its result."""
    inputs = [str(source or folder.parent / "in.jsonl")]
    options: dict[str, Any] = {"executor": LocalExecutor(workers), "progress": progress}
    if command == "score":
        return score_files(inputs, folder / "s.parquet", **options).to_dict()
    return filter_files(inputs, RULES, kept=folder / "kept", dropped=folder / "dropped", **options).to_dict()


def files(folder: Path) -> dict[str, Path]:
    """Everything in a folder but its locks."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files(folder).items()}


def finished(folder: Path) -> dict[str, int]:
    """When the files of finished pieces were written, in nanoseconds."""
    found = files(folder)
    done = {(Path(name).parts[-2], Path(name).stem) for name in found if Path(name).suffix == ".json"}
    numbers = {number for place, number in done if place in (".pieces", ".s.parquet.parts")}
    return {
        name: path.stat().st_mtime_ns
        for name, path in found.items()
        if path.suffix == ".parquet" and path.stem in numbers and path.parent.name != ".ranked"
    }


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", PIECE_BYTES)
    monkeypatch.setattr(jsonl, "CHUNK_BYTES", CHUNK_BYTES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pieces of documents, with a row that cannot be read, and what both commands make of them in one go."""
    place = tmp_path_factory.mktemp("interrupted")
    rows = [json.dumps({"text": f"{n} words of a document " * (n % 7), "source": "ab"[n % 2]}) for n in range(320)]
    rows[200] = "{broken"
    (place / "in.jsonl").write_text("\n".join(rows))
    (place / "whole").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", PIECE_BYTES)
        patch.setattr(jsonl, "CHUNK_BYTES", CHUNK_BYTES)
        for command in ("filter", "score"):
            run(command, place / "whole")
    assert len(list((place / "whole/kept").glob("0*.parquet"))) == 9
    return place


MOMENTS = {
    "filter": [
        ("before", ".ranked/00002.json"),
        ("before", ".pieces/00001.json"),
        ("after", ".pieces/00003.json"),
        ("before", "kept/quarantined.jsonl"),
        ("after", "dropped/stage.json"),
        ("after", "kept/stage.json"),
    ],
    "score": [
        ("before", ".s.parquet.parts/00001.json"),
        ("after", ".s.parquet.parts/00003.json"),
        ("before", ".s.parquet.parts/whole.parquet"),
        ("after", "interrupted/s.parquet"),
    ],
}


@pytest.mark.parametrize("command", MOMENTS)
def test_killed_again_and_again_it_ends_with_the_bytes_of_one_that_was_not(command: str, place: Path) -> None:
    folder = place / "interrupted"
    folder.mkdir(exist_ok=True)
    before: dict[str, int] = {}
    for moment, name in MOMENTS[command]:
        with python(PROGRAM, command, folder, "1", moment, name) as process:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL, errors
        now = finished(folder)
        assert before.items() <= now.items(), f"done again on the way to {name}"
        before = now
    result = run(command, folder)
    ours = [name for name in files(place / "whole") if name.startswith("s.") == (command == "score")]
    assert {name: contents(folder)[name] for name in ours} == {name: contents(place / "whole")[name] for name in ours}
    assert result == run(command, place / "whole")
    left = [name for name in files(folder) if name not in files(place / "whole")]
    assert left == []


@pytest.mark.slow  # the campaign of kills has its like
def test_a_killed_filter_of_two_workers_goes_on(place: Path) -> None:
    folder = place / "workers"
    folder.mkdir()
    with python(PROGRAM, "filter", folder, "2", "pieces", "2") as process:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, errors
        until(lambda: not session_of(process.pid), seconds=20)
    before = finished(folder)
    assert len(before) >= 4  # of two pieces: what is kept and what is dropped
    run("filter", folder, workers=2)
    assert before.items() <= {name: path.stat().st_mtime_ns for name, path in files(folder).items()}.items()
    whole = {name: content for name, content in contents(place / "whole").items() if not name.startswith("s.")}
    assert contents(folder) == whole


def test_the_same_command_again_does_nothing_and_says_the_same(place: Path) -> None:
    for command in ("filter", "score"):
        before = {path: path.stat().st_mtime_ns for path in files(place / "whole").values()}
        assert run(command, place / "whole") == run(command, place / "whole", workers=2)
        assert {path: path.stat().st_mtime_ns for path in files(place / "whole").values()} == before


def test_what_is_finished_is_not_replaced_by_other_settings_or_inputs(place: Path, tmp_path: Path) -> None:
    whole, other = place / "whole", tmp_path / "in.jsonl"
    other.write_bytes((place / "in.jsonl").read_bytes() + b'\n{"text": "more"}')
    before = contents(whole)
    inputs = [str(place / "in.jsonl")]
    with pytest.raises(WorkspaceError, match=r"kept: holds results of another command, other inputs or other settings"):
        filter_files(inputs, RULES, kept=whole / "kept", dropped=whole / "dropped", strict=True)
    with pytest.raises(WorkspaceError, match=r"kept: holds results"):
        filter_files([str(other)], RULES, kept=whole / "kept", dropped=whole / "dropped")
    with pytest.raises(WorkspaceError, match=r"kept: holds results"):
        filter_files(inputs, RULES, kept=whole / "kept")
    with pytest.raises(WorkspaceError, match=r"s\.parquet: already there, and not of these inputs"):
        score_files(inputs, whole / "s.parquet", signals=["word_count"])
    with pytest.raises(WorkspaceError, match=r"s\.parquet: already there"):
        score_files(inputs, whole / "s.parquet", scoring=Scoring(words="whitespace"))
    assert contents(whole) == before


def test_finished_pieces_are_not_thrown_away_by_other_settings_and_a_failed_start_stands_in_nobodys_way(
    place: Path, tmp_path: Path
) -> None:
    inputs = [str(place / "in.jsonl")]
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "started.json").write_text('{"fingerprint": "of other settings"}')
    (kept / "00000.parquet").write_bytes(b"an hour of work")
    with pytest.raises(WorkspaceError, match="kept: holds unfinished results of another command"):
        filter_files(inputs, RULES, kept=kept)
    (kept / "00000.parquet").unlink()
    assert filter_files(inputs, RULES, kept=kept).documents == 319


def test_a_folder_that_is_in_use_is_refused(place: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "kept", tmp_path / "dropped", tmp_path / ".s.parquet.parts"):
        with FolderLock(folder), pytest.raises(WorkspaceError, match=rf"{folder.name}: in use by process \d+"):
            run("score" if folder.name.startswith(".") else "filter", tmp_path, source=place / "in.jsonl")
