"""Every file of a finished workspace and study, damaged in every way: right results, or one line; never a traceback."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import run_dq
from tests.test_kills import write_inputs

pytestmark = pytest.mark.timeout(1200)

Damage = Callable[[Path, Path], object]
"""What is done to a file, given another one of its ending."""

DAMAGES: dict[str, Damage] = {
    "deleted": lambda path, _: path.unlink(),
    "empty": lambda path, _: path.write_bytes(b""),
    "truncated": lambda path, _: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "swapped": lambda path, other: path.write_bytes(other.read_bytes()),
    "an object": lambda path, _: path.write_text("{}"),
    "a list": lambda path, _: path.write_text("[]"),
    "null": lambda path, _: path.write_text("null"),
    "nested": lambda path, _: path.write_text("[" * 200_000),
    "of another version": lambda path, _: path.write_text('{"format": 9, "version": 9, "stage": "read", "runs": [3]}'),
}
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ablate", "study.yaml", "--workers", "1"),
    ("run", "job.yaml", "--workers", "1"),
    ("inspect", "document", "ws", "d0003"),
    ("inspect", "duplicates", "ws"),
    ("inspect", "dropped", "ws", "--reason", "too_many_duplicate_9_grams"),
)
OF_A_FOLDER: tuple[tuple[str, ...], ...] = (
    ("audit", "duplicates", "out"),
    ("dedup", "in.jsonl", "-o", "out", "--max-removed-fraction", "1"),
    ("inspect", "dropped", "dropped", "--reason", "too_few_sentences"),
    ("filter", "in.jsonl", "--preset", "c4", "-o", "kept", "--dropped", "dropped"),
)
SAMPLED = 10  # of all files and damages, by a fixed seed; `slow` tries the rest
NOT_READ = ("index.html", ".pdf", ".png", ".svg")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job, a study, a deduplication and a filter, and what their commands said."""
    place = tmp_path_factory.mktemp("damaged") / "whole"
    write_inputs(place)
    for command in (COMMANDS[1], COMMANDS[0], OF_A_FOLDER[1], OF_A_FOLDER[3]):
        done = run_dq(*command, cwd=place)
        assert done.returncode == 0, (command, done.stderr)
    return place


def every_case(place: Path) -> list[tuple[str, str]]:
    files = [path.relative_to(place) for name in ("ws", "out", "kept", "dropped") for path in (place / name).rglob("*")]
    return [
        (path.as_posix(), damage)
        for path in sorted(files)
        if (place / path).is_file() and not path.name.endswith(NOT_READ)
        for damage in DAMAGES
    ]


def try_all(place: Path, cases: list[tuple[str, str]], tmp_path: Path) -> None:
    said: dict[tuple[str, ...], str] = {}
    generator = random.Random(5)
    for command in (*COMMANDS, *OF_A_FOLDER):
        said[command] = run_dq(*command, cwd=place).stdout
    for name, damage in cases:
        here = tmp_path / "here"
        shutil.copytree(place, here)
        others = [path for path in here.rglob(f"*{Path(name).suffix}") if path != here / name and path.is_file()]
        DAMAGES[damage](here / name, generator.choice(others or [here / name]))
        for command in COMMANDS if name.startswith("ws") else OF_A_FOLDER:
            done = run_dq(*command, cwd=here)
            case = (name, damage, command, done.stdout[-300:], done.stderr)
            assert "Traceback" not in done.stderr, case
            if done.returncode == 0:
                assert done.stdout == said[command], case
            else:
                assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), case
        shutil.rmtree(here)


def test_a_damaged_file_is_one_line_or_makes_no_difference(finished: Path, tmp_path: Path) -> None:
    cases = every_case(finished)
    assert len(cases) > 500
    try_all(finished, random.Random(3).sample(cases, SAMPLED), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_every_damaged_file_is_one_line_or_makes_no_difference(part: int, finished: Path, tmp_path: Path) -> None:
    try_all(finished, every_case(finished)[part::20], tmp_path)
