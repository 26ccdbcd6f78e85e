"""A job tried on documents of a sample: of each step the processor's seconds, the peak of memory, and what it leaves.

It runs in one process of its own, whose clock counts all of its work, and whose memory is that of a job. Seconds of
the processor hardly depend on what else this machine does; those of the clock do.
"""

from __future__ import annotations

import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from dq.corpus import InputSpec
from dq.corpus.drawn import Drawn
from dq.dedup import deduplicate
from dq.errors import DqError, InputError
from dq.executors import QUIET, LocalExecutor, Step
from dq.jobs.job import JobConfig
from dq.jobs.run import run_job
from dq.stages.tokens import TOKENS
from dq.store import Workspace, read_json, write_json_atomic

FEW_ROWS = 200


@dataclass(frozen=True)
class StepCost:
    """What a step of a job took."""

    seconds: float
    """Of the processor."""
    memory_bytes: int
    """Peak of the process: libraries and what earlier steps hold included."""
    disk_bytes: int
    """What it left in the workspace."""


@dataclass(frozen=True)
class Took:
    """What a job took."""

    steps: Mapping[str, StepCost]
    clock_seconds: float
    disk_bytes: int
    """Of the workspace at its largest: tokens are there twice while their parts are joined."""

    @property
    def seconds(self) -> float:
        """Of the processor, all steps."""
        return sum(step.seconds for step in self.steps.values())


@dataclass(frozen=True)
class Tried(Took):
    """What a job took on some documents."""

    text_bytes: int


@dataclass(frozen=True)
class _Task:
    config: JobConfig
    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "took.json"


def try_job(drawn: Drawn, config: JobConfig, *, rows: int) -> Tried:
    """Run the job on the first so many documents of a sample, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="dq-run-") as folder:
        sample = InputSpec(path=str(drawn.write(Path(folder), rows=rows)))
        open_guard = config.dedup.model_copy(update={"max_removed_fraction": 1.0})
        took = measure_job(config.model_copy(update={"input": (sample,), "dedup": open_guard}), Path(folder))
    text_bytes = sum(len(row["text"].encode()) for row in drawn.rows[:rows])
    return Tried(took.steps, took.clock_seconds, took.disk_bytes, text_bytes)


def try_part(drawn: Drawn, config: JobConfig, *, rows: int) -> Tried:
    """Run the job on a part of a sample, which a larger one may show to be too small.

    Raises:
        InputError: it was.
    """
    try:
        return try_job(drawn, config, rows=rows)
    except DqError as error:
        raise InputError(
            f"a sample of {rows:,} documents could not be tried, though the job might be: {error}"
        ) from None


def compile_by(drawn: Drawn, config: JobConfig) -> None:
    """Run the job on a few documents: kernels that are not compiled yet are, which is no part of what a try takes.

    So few may hold no near copies, which have kernels of their own.
    """
    words = " ".join(map(str, range(60)))
    deduplicate([words, f"{words} end"])
    with suppress(DqError):  # what is wrong with the job, a larger try says; so few may be too few
        try_job(drawn, config, rows=min(len(drawn.rows), FEW_ROWS))


def measure_job(config: JobConfig, folder: Path) -> Took:
    """Run the job in one process of its own; its workspace is below ``folder``."""
    task = _Task(config, folder)
    LocalExecutor().run(_run, [task], output=lambda one: one.output, isolated=True)
    took = read_json(task.output)
    steps = {name: StepCost(*cost) for name, cost in took["steps"]}
    return Took(steps, took["clock_seconds"], took["disk_bytes"])


def _run(task: _Task) -> None:
    workspace = Workspace(task.folder / "workspace")
    meter, began = _Meter(workspace.root), time.perf_counter()
    run_job(task.config, workspace, executor=LocalExecutor(), progress=meter)
    took = time.perf_counter() - began
    joined = (workspace.tokens(task.config.texts.trained) / TOKENS).stat().st_size
    steps = [(name, astuple(cost)) for name, cost in meter.steps.items()]
    found = {"steps": steps, "clock_seconds": took, "disk_bytes": _size(workspace.root) + joined}
    write_json_atomic(task.output, found)


class _Meter:
    """Progress that measures every step of a job that fills a folder; steps do not stand inside one another."""

    def __init__(self, folder: Path) -> None:
        self.steps: dict[str, StepCost] = {}
        self._folder = folder

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        """Measure a step from its beginning to its end."""
        del unit, total
        there, began = _size(self._folder), time.process_time()
        _forget_peak()
        yield QUIET
        seconds = time.process_time() - began
        self.steps[name] = StepCost(seconds, _peak_bytes(), _size(self._folder) - there)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _forget_peak() -> None:
    """Let the peak of memory begin anew, where the system can (Linux); else it is that of all steps so far."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text()):
            return 1024 * int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
