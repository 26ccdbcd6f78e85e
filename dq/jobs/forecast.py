"""What a job would take, before it is run: the job itself on a fair sample of its input, extrapolated.

Half of the sample and all of it tell what a step costs for any input (libraries, neutral sets, the tokenizer's merges)
from what grows with the text. That difference is small and is multiplied, so it is taken in seconds of the processor,
which others' work on this machine hardly changes; how much longer the clock ran is applied to all of it. An input that
is no larger than a sample is simply tried whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dq.corpus.drawn import Drawn, draw
from dq.dedup import Resources, estimate_cost
from dq.dedup.estimate import FIXED_BYTES
from dq.executors import QUIET, Progress, require_live_polars, usable_cores
from dq.jobs.costs import cost_of
from dq.jobs.job import JobConfig
from dq.jobs.tried import Tried, compile_by, try_job, try_part
from dq.results import Result

SAMPLE_BYTES = 12_000_000  # of text, half of it or more: most of the time is what a step costs for any input
START_SECONDS = 2.0  # of Python and the command
POOL_SECONDS = 2.0  # until a step's processes work


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
    half, whole = tries[0], tries[-1]
    growth = (drawn.text_bytes - half.text_bytes) / max(1, whole.text_bytes - half.text_bytes)
    stretch = sum(one.clock_seconds for one in tries) / sum(one.seconds for one in tries)
    peak = max(step.memory_bytes for one in tries for step in one.steps.values())
    seconds = {}
    for name, at_half in half.steps.items():
        taken = at_half.seconds + growth * max(0.0, whole.steps[name].seconds - at_half.seconds)
        way = cost_of(name, config, in_order=True, one_node=True).way
        at_a_time = 1 if way == "process" else threads  # more workers than cores are no faster
        seconds[name] = stretch * taken / at_a_time + POOL_SECONDS * (way == "tasks" and workers > 1)
    found = estimate_cost(
        [row["text"] for row in drawn.rows],
        config.dedup.method,
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        largest_shard_bytes=drawn.shard_bytes(config.read.shard_rows),
        resources=Resources(threads=threads),
    )
    return JobForecast(
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        complete=drawn.complete,
        sample_documents=len(drawn.rows),
        step_seconds=seconds,
        seconds=START_SECONDS + sum(seconds.values()),
        memory_bytes=max(found.memory_bytes, peak + found.memory_bytes - FIXED_BYTES),
        disk_bytes=round(half.disk_bytes + growth * (whole.disk_bytes - half.disk_bytes)),
    )


def _tries(drawn: Drawn, config: JobConfig) -> list[Tried]:
    """Of a sample: half of it, and all of it."""
    rows = len(drawn.rows)
    compile_by(drawn, config)
    if drawn.text_bytes == drawn.sample_bytes:
        return [try_job(drawn, config, rows=rows)]
    return [try_part(drawn, config, rows=some) for some in (-(-rows // 2), rows)]
