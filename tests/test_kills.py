"""The kill campaign: 220 points of the work of every command that goes on, and the same command again.

It must end with the bytes of a command that was not interrupted, and leave nothing of the interruption. Three points
are tried each time, all of them by ``make kills``.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import run_dq
from tests.jobs.texts import rows, write_jsonl
from tests.kills import PROGRAM, SIGNALS
from tests.processes import python, session_of, until

pytestmark = pytest.mark.timeout(900)  # the whole commands that points are compared with are run first

FILTER_C4 = ("filter", "in.jsonl", "--preset", "c4")
COMMANDS: dict[str, tuple[str, ...]] = {
    "filter": ("filter", "in.jsonl", "--rules", "rules.yaml", "-o", "kept", "--dropped", "dropped", "--workers", "1"),
    "filter by two": (*FILTER_C4, "-o", "kept", "--dropped", "dropped", "--workers", "2"),
    "score": ("score", "in.jsonl", "-o", "s.parquet", "--signals", "word_count,char_count", "--workers", "1"),
    "dedup": ("dedup", "in.jsonl", "-o", "out", "--index", "seen", "--max-removed-fraction", "1", "--workers", "2"),
    "run": ("run", "job.yaml", "--workers", "2"),
    "ablate": ("ablate", "study.yaml", "--workers", "2"),
    "filter to files": (*FILTER_C4, "-o", "kept.jsonl.zst", "--dropped", "dropped.parquet", "--workers", "1"),
}
POINTS = {"filter": 50, "filter by two": 20, "score": 40, "dedup": 40, "run": 30, "ablate": 20, "filter to files": 20}
SAMPLED = 3
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")  # a slow machine logs its progress
GOES_ON = "dq: interrupted; the same command goes on from here\n"
NOT_COMPARED = ("timing.parquet", "index.html")  # they hold times
JOB = """workspace: ws
input: [{path: in.jsonl}]
read: {shard_rows: 60}
heldout: {fraction: 0.1, neutral: [{name: neutral, input: [{path: neutral.jsonl}]}]}
tokenizer: {vocab_size: 300, bytes_per_source: 20000}
"""
STUDY = """workspace: ws
budget_tokens: 2048
size: 0.1M
seeds: 1
margin_bits_per_byte: 0.02
training: {context: 64, batch_windows: 4, checkpoint_every_steps: 2, curve_points: 2}
variants: {raw: {kind: raw}, repeated: {kind: repeated, epochs: 2}}
"""
RULES = """name: mixed
rules:
  - {signal: word_count, minimum: 50, reason: too_few_words}
  - {signal: char_count, keep_fraction: 0.5, reason: not_among_the_longest}
"""


@dataclass(frozen=True)
class Point:
    """Where a command is interrupted: a share of its events or of its seconds, and the signal."""

    command: str
    share: float
    by: str
    signal: signal.Signals


def every_point() -> list[Point]:
    """Points spread evenly over each command, signals in turn, every fourth by time."""
    return [
        Point(command, (at + 0.5) / count, "seconds" if at % 4 == 3 else "event", SIGNALS[at % len(SIGNALS)])
        for command, count in POINTS.items()
        for at in range(count)
    ]


ALL = every_point()
CHOSEN = set(random.Random(2).sample(range(len(ALL)), SAMPLED))


@dataclass(frozen=True)
class Whole:
    """A command that was not interrupted."""

    before: Path
    after: dict[str, bytes]
    events: int
    seconds: float


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_COMPARED
    }


def write_inputs(folder: Path) -> None:
    folder.mkdir()
    write_jsonl(folder / "in.jsonl", rows(0, 150))
    with (folder / "in.jsonl").open("a") as file:
        file.write("{broken\n")
    write_jsonl(folder / "neutral.jsonl", rows(500, 40))
    for name, text in (("job", JOB), ("study", STUDY), ("rules", RULES)):
        (folder / f"{name}.yaml").write_text(text)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """Filled as commands are needed."""
    return {}


def whole(command: str, wholes: dict[str, Whole], factory: pytest.TempPathFactory) -> Whole:
    if command not in wholes:
        before, after = factory.mktemp("kills") / "before", factory.mktemp("kills") / "after"
        write_inputs(before)
        if command == "ablate":
            assert run_dq(*COMMANDS["run"], cwd=before).returncode == 0
        shutil.copytree(before, after)
        counted = factory.mktemp("kills") / "counted"
        with_signal(after, COMMANDS[command], "event", "-1", signal.SIGINT, counted)
        events, seconds = counted.read_text().split()
        wholes[command] = Whole(before, contents(after), int(events), float(seconds))
    return wholes[command]


def with_signal(
    cwd: Path, arguments: tuple[str, ...], by: str, at: str, number: signal.Signals, count_in: Path
) -> tuple[int, str]:
    """The exit code and the errors of a command in a process of its own; all that it started has ended."""
    program = f"import os; os.chdir({str(cwd)!r}); {PROGRAM}"
    with python(program, by, at, str(int(number)), count_in, *arguments) as process:
        _, errors = process.communicate(timeout=300)
        until(lambda: not session_of(process.pid), seconds=20)
    said = [line for line in errors.splitlines(keepends=True) if not LOG_LINE.match(line)]
    return process.returncode, "".join(said)


@pytest.mark.parametrize(
    "number", [pytest.param(at, marks=[] if at in CHOSEN else [pytest.mark.slow]) for at in range(len(ALL))]
)
def test_a_command_killed_anywhere_ends_as_if_nothing_had_happened(
    number: int, wholes: dict[str, Whole], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    point = ALL[number]
    known = whole(point.command, wholes, tmp_path_factory)
    place = tmp_path / "here"
    shutil.copytree(known.before, place)
    at = f"{point.share * known.events:.0f}" if point.by == "event" else f"{point.share * known.seconds:.3f}"
    code, errors = with_signal(place, COMMANDS[point.command], point.by, at, point.signal, tmp_path / "counted")
    if point.signal is signal.SIGKILL:
        assert code in (-signal.SIGKILL, 0)
    else:  # 0: it was at its end
        assert (code, errors) in ((128 + point.signal, GOES_ON), (0, "")), errors

    code, errors = with_signal(place, COMMANDS[point.command], "event", "-1", point.signal, tmp_path / "counted")
    assert (code, errors) == (0, "")
    found = contents(place)
    litter = [name for name in found if name.endswith((".partial", "started.json", ".lock")) or "/." in name]
    assert litter == []
    assert found.keys() == known.after.keys()
    assert [name for name in found if found[name] != known.after[name]] == []
