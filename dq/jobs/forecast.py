"""What a job would take, before it is run: the job itself on a fair sample of its input, extrapolated.

Half of the sample and all of it tell what a step costs for any input (neutral sets, the tokenizer's merges) from what
grows with the text; a run before them loads libraries and kernels, as a job does once. That difference is small and
is multiplied, so it is taken in seconds of the processor, which others' work on this machine hardly changes; how much
longer the clock ran is applied to all of it. An input that is no larger than a sample is simply tried whole.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dq.corpus import InputSpec
from dq.corpus.drawn import Drawn, draw
from dq.dedup import Resources, estimate_cost
from dq.dedup.estimate import FIXED_BYTES
from dq.errors import DqError, InputError
from dq.executors import QUIET, LocalExecutor, Progress, Timed, require_live_polars, usable_cores
from dq.jobs.job import JobConfig
from dq.jobs.run import run_job
from dq.results import Result
from dq.stages.tokens import TOKENS
from dq.store import Workspace

SAMPLE_BYTES = 12_000_000  # of text, half of it or more: most of the time is what a step costs for any input
START_SECONDS = 2.0  # of Python and the command
POOL_SECONDS = 2.0  # until a step's processes work
SHARED_STEPS = ("clean", "hold out", "score", "tokenise")  # by processes; the search for duplicates by threads
SEARCH = "find duplicates"


@dataclass(frozen=True)
class JobForecast(Result):
    """Expected cost of a whole job on this machine as busy as it is now.

    Attributes:
        documents: of the input; expected, or counted where ``complete``.
        text_bytes: of UTF-8, likewise.
        complete: the input was read whole; nothing about it is extrapolated.
        sample_documents: documents that were tried.
        step_seconds: of each step, wall clock.
        seconds: in total.
        memory_bytes: peak of all processes together.
        disk_bytes: of the workspace at its largest.
    """

    documents: int
    text_bytes: int
    complete: bool
    sample_documents: int
    step_seconds: Mapping[str, float]
    seconds: float
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class _Tried:
    """What a job took on some rows of the sample: each step in seconds of the processor, and all by the clock."""

    text_bytes: int
    step_seconds: Mapping[str, float]
    clock_seconds: float
    disk_bytes: int


def forecast_job(config: JobConfig, *, workers: int = 1, seed: int = 0, progress: Progress = QUIET) -> JobForecast:
    """Time, memory and disk of a job from its beginning; nothing is written but to a temporary folder.

    Raises:
        DqError: what the job would stop at, on one line.
    """
    require_live_polars()
    drawn = draw(config.input, config.read, sample_bytes=SAMPLE_BYTES, seed=seed, progress=progress)
    threads = min(workers, usable_cores())
    with progress.step("try a sample"):
        tries = _tries(drawn, config)
    first, half, whole = tries[0], tries[len(tries) // 2], tries[-1]
    growth = (drawn.text_bytes - half.text_bytes) / max(1, whole.text_bytes - half.text_bytes)
    stretch = sum(one.clock_seconds for one in tries) / sum(sum(one.step_seconds.values()) for one in tries)
    seconds = {}
    for name, at_first in first.step_seconds.items():
        taken = at_first + growth * max(0.0, whole.step_seconds[name] - half.step_seconds[name])
        shared = name.partition(":")[0] in SHARED_STEPS
        at_a_time = threads if shared or name == SEARCH else 1  # more workers than cores are no faster
        seconds[name] = stretch * taken / at_a_time + POOL_SECONDS * (shared and workers > 1)
    found = estimate_cost(
        [row["text"] for row in drawn.rows],
        config.dedup.method,
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        largest_shard_bytes=min(drawn.text_bytes, round(config.read.shard_rows * drawn.text_bytes / drawn.documents)),
        resources=Resources(threads=threads),
    )
    return JobForecast(
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        complete=drawn.complete,
        sample_documents=len(drawn.rows),
        step_seconds=seconds,
        seconds=START_SECONDS + sum(seconds.values()),
        memory_bytes=max(found.memory_bytes, _peak_bytes() + found.memory_bytes - FIXED_BYTES),
        disk_bytes=round(half.disk_bytes + growth * (whole.disk_bytes - half.disk_bytes)),
    )


def _peak_bytes() -> int:
    """Most memory that this process has held: libraries, kernels, neutral sets and the sample's share."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _tries(drawn: Drawn, config: JobConfig) -> list[_Tried]:
    """Of a sample: half of it, which loads what is loaded once, half of it, all of it."""
    rows = len(drawn.rows)
    if drawn.text_bytes == drawn.sample_bytes:
        return [_try(drawn, config, rows=rows)]
    try:
        return [_try(drawn, config, rows=some) for some in (-(-rows // 2), -(-rows // 2), rows)]
    except DqError as error:
        raise InputError(
            f"a sample of {rows:,} documents could not be tried, though the job might be: {error}"
        ) from None


def _try(drawn: Drawn, config: JobConfig, *, rows: int) -> _Tried:
    """Run the job on some rows in this process alone, whose clock counts all of its work."""
    times, began = Timed(clock=time.process_time), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="dq-run-") as folder:
        sample = InputSpec(path=str(drawn.write(Path(folder), rows=rows)))
        open_guard = config.dedup.model_copy(update={"max_removed_fraction": 1.0})
        changed = config.model_copy(update={"input": (sample,), "dedup": open_guard})
        workspace = Workspace(Path(folder) / "workspace")
        run_job(changed, workspace, executor=LocalExecutor(1), progress=times)
        size = sum(path.stat().st_size for path in workspace.root.rglob("*") if path.is_file())
        joined = (workspace.tokens(config.texts.trained) / TOKENS).stat().st_size  # there twice while parts are joined
    took = time.perf_counter() - began
    names = dict.fromkeys(row.name for row in times.times)
    text_bytes = sum(len(row["text"].encode()) for row in drawn.rows[:rows])
    return _Tried(text_bytes, {name: times.seconds(name) for name in names}, took, size + joined)
