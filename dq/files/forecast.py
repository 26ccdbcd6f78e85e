"""What `dq dedup`, `semdedup` and `passages` would take: read the input once, try a fair sample, extrapolate.

The sample goes through the very stages of the command in a temporary folder, which measures reading and writing; what
finding takes is :func:`dq.dedup.estimate_cost`, of passages :func:`dq.dedup.passages.estimate_passages`, of cosines
:func:`dq.dedup.estimate_cosines`. A fixed cost covers starting Python and loading compiled kernels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dq.corpus import InputSpec, ReadConfig
from dq.corpus.drawn import Drawn, draw
from dq.corpus.inputs import Entry
from dq.dedup import Resources, estimate_cosines, estimate_cost
from dq.dedup.estimate import BYTES_A_TEXT_BYTE
from dq.dedup.passages import estimate_passages
from dq.dedup.policy import LONGEST
from dq.executors import QUIET, Progress, Timed, require_live_polars
from dq.files.dedup import dedup_files
from dq.files.passages import cut_passages
from dq.files.semantic import semdedup_files
from dq.results import Result
from dq.stages.passages import PassageConfig
from dq.stages.selection import DeduplicationConfig
from dq.stages.semantic import SemanticConfig
from dq.store import Workspace

SAMPLE_BYTES = 24_000_000  # of text: a few seconds of work
FIXED_SECONDS = 4.0  # imports, kernels from the cache, tables: measured 3 to 5
WARM_UP_ROWS = 20


@dataclass(frozen=True)
class Forecast(Result):
    """Expected cost of a command on this machine as busy as it is now.

    Attributes:
        documents: expected, or counted where ``complete``.
        text_bytes: of UTF-8, likewise.
        complete: everything was read; nothing is extrapolated.
        sample_documents: documents that were tried.
        read_seconds, find_seconds, write_seconds: of the steps, wall clock.
        seconds: in total.
        memory_bytes: peak.
        disk_bytes: of the output folder at its largest.
    """

    documents: int
    text_bytes: int
    complete: bool
    sample_documents: int
    read_seconds: float
    find_seconds: float
    write_seconds: float
    seconds: float
    memory_bytes: int
    disk_bytes: int


def forecast_cost(
    inputs: Sequence[Entry],
    config: DeduplicationConfig,
    *,
    read: ReadConfig | None = None,
    resources: Resources | None = None,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Forecast:
    """Time, memory and disk of deduplicating ``inputs``; nothing is written but to a temporary folder.

    Raises:
        InputError: a file is missing or unreadable, or none of the rows holds a text.
    """
    read, resources = read or ReadConfig(), resources or Resources()
    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    with progress.step("try a sample"):
        return _forecast(drawn, config, read=read, resources=resources)


def forecast_passages(
    inputs: Sequence[Entry],
    config: PassageConfig,
    *,
    read: ReadConfig | None = None,
    resources: Resources | None = None,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Forecast:
    """Time, memory and disk of cutting repeated passages out of ``inputs``, as `forecast_cost` has them.

    Raises:
        InputError: a file is missing or unreadable, or none of the rows holds a text.
    """
    read, resources = read or ReadConfig(), resources or Resources()
    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    open_guard = config.model_copy(update={"max_removed_fraction": 1.0, "keep": LONGEST})

    def job(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        return cut_passages([sample], out, open_guard, read=read, progress=times).workspace

    with progress.step("try a sample"):
        _try_sample(drawn, job, rows=WARM_UP_ROWS)
        times, corpus_bytes, kept_bytes = _try_sample(drawn, job, rows=None)
    ratio = drawn.text_bytes / drawn.sample_bytes
    found = estimate_passages(
        config,
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        largest_shard_bytes=_shard_bytes(drawn, read),
        resources=resources,
    )
    seconds = {name: times.seconds(name) * ratio for name in ("read", "find passages", "write")}
    finding = (seconds["find passages"] + found.more_seconds) / resources.threads
    writing = seconds["write"] / resources.threads
    return Forecast(
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        complete=drawn.complete,
        sample_documents=len(drawn.rows),
        read_seconds=seconds["read"],
        find_seconds=finding,
        write_seconds=writing,
        seconds=FIXED_SECONDS + seconds["read"] + finding + writing,
        memory_bytes=found.memory_bytes,
        # Working files are gone before what is left of the documents is written.
        disk_bytes=round(ratio * corpus_bytes) + max(found.work_bytes, round(ratio * kept_bytes)),
    )


def forecast_semantic(
    inputs: Sequence[Entry],
    config: SemanticConfig,
    *,
    read: ReadConfig | None = None,
    threads: int = 1,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Forecast:
    """Time, memory and disk of deduplicating ``inputs`` by meaning, as `forecast_cost` has them.

    Raises:
        InputError: a file is missing or unreadable, none of the rows holds a text, or one has no vector.
    """
    read = read or ReadConfig()
    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    open_guard = config.model_copy(update={"max_removed_fraction": 1.0, "keep": LONGEST})
    widths = []

    def job(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        done = semdedup_files([sample], out, open_guard, read=read, progress=times)
        widths.append(done.dimensions)
        return done.workspace

    with progress.step("try a sample"):
        _try_sample(drawn, job, rows=WARM_UP_ROWS)
        times, corpus_bytes, kept_bytes = _try_sample(drawn, job, rows=None)
        found = estimate_cosines(drawn.documents, widths[-1])
    ratio = drawn.text_bytes / drawn.sample_bytes
    reading, writing = times.seconds("read") * ratio, times.seconds("write") * ratio / threads
    finding = times.seconds("vectors") * ratio / threads + times.seconds("select") * ratio + found.seconds
    in_work = threads * _shard_bytes(drawn, read)
    return Forecast(
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        complete=drawn.complete,
        sample_documents=len(drawn.rows),
        read_seconds=reading,
        find_seconds=finding,
        write_seconds=writing,
        seconds=FIXED_SECONDS + reading + finding + writing,
        memory_bytes=found.memory_bytes + round(in_work * BYTES_A_TEXT_BYTE),
        disk_bytes=round(ratio * corpus_bytes) + found.disk_bytes + max(found.disk_bytes, round(ratio * kept_bytes)),
    )


def _drawn(inputs: Sequence[Entry], read: ReadConfig, *, seed: int, progress: Progress) -> Drawn:
    require_live_polars()
    return draw(inputs, read, sample_bytes=SAMPLE_BYTES, seed=seed, progress=progress)


def _forecast(drawn: Drawn, config: DeduplicationConfig, *, read: ReadConfig, resources: Resources) -> Forecast:
    documents, text_bytes = drawn.documents, drawn.text_bytes
    ratio = text_bytes / drawn.sample_bytes
    texts = [row["text"] for row in drawn.rows]
    open_guard = config.model_copy(update={"max_removed_fraction": 1.0, "keep": LONGEST})

    def job(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        return dedup_files([sample], out, open_guard, read=read, progress=times).workspace

    _try_sample(drawn, job, rows=WARM_UP_ROWS)  # loads libraries and kernels
    times, corpus_bytes, kept_bytes = _try_sample(drawn, job, rows=None)
    found = estimate_cost(
        texts,
        config.method,
        documents=documents,
        text_bytes=text_bytes,
        largest_shard_bytes=_shard_bytes(drawn, read),
        resources=resources,
    )
    reading = times.seconds("read") * ratio
    writing = times.seconds("write") * ratio / resources.threads
    return Forecast(
        documents=documents,
        text_bytes=text_bytes,
        complete=drawn.complete,
        sample_documents=len(texts),
        read_seconds=reading,
        find_seconds=found.seconds,
        write_seconds=writing,
        seconds=FIXED_SECONDS + reading + found.seconds + writing,
        memory_bytes=found.memory_bytes,
        # Working files of the search are gone before the kept documents are written; signatures stay.
        disk_bytes=round(ratio * corpus_bytes)
        + max(found.disk_bytes, round(ratio * kept_bytes) + 4 * config.num_perm * documents),
    )


def _shard_bytes(drawn: Drawn, read: ReadConfig) -> int:
    return min(drawn.text_bytes, round(read.shard_rows * drawn.text_bytes / drawn.documents))


def _try_sample(
    drawn: Drawn, job: Callable[[InputSpec, Path, Timed], Workspace], *, rows: int | None
) -> tuple[Timed, int, int]:
    """Seconds of each step of the job on the sample, one process, and the bytes of the corpus and of what is kept."""
    times = Timed()
    with tempfile.TemporaryDirectory(prefix="dq-forecast-") as folder:
        made = job(InputSpec(path=str(drawn.write(Path(folder), rows=rows))), Path(folder) / "out", times)
        sizes = [
            sum(part.stat().st_size for part in place.rglob("*.parquet"))
            for place in (made.root / "corpus", made.kept())
        ]
    return times, sizes[0], sizes[1]
