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
OPEN_GUARD = {"max_removed_fraction": 1.0, "keep": LONGEST}
"""Of a sample any share may go, and it has no signals to choose by."""

Command = Callable[[InputSpec, Path, Timed], Workspace]


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
    read, resources, config = read or ReadConfig(), resources or Resources(), config.model_copy(update=OPEN_GUARD)

    def command(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        return dedup_files([sample], out, config, read=read, progress=times).workspace

    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    with progress.step("try a sample"):
        trial = _tried(drawn, command)
        found = estimate_cost(
            [row["text"] for row in drawn.rows],
            config.method,
            documents=drawn.documents,
            text_bytes=drawn.text_bytes,
            largest_shard_bytes=drawn.shard_bytes(read.shard_rows),
            resources=resources,
        )
    # Working files of the search are gone before the kept documents are written; signatures stay.
    signatures = 4 * config.num_perm * drawn.documents
    return trial.forecast(
        find_seconds=found.seconds,
        threads=resources.threads,
        memory_bytes=found.memory_bytes,
        work_bytes=max(found.disk_bytes, trial.kept_bytes + signatures),
    )


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
    read, resources, config = read or ReadConfig(), resources or Resources(), config.model_copy(update=OPEN_GUARD)

    def command(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        return cut_passages([sample], out, config, read=read, progress=times).workspace

    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    with progress.step("try a sample"):
        trial = _tried(drawn, command)
    found = estimate_passages(
        config,
        documents=drawn.documents,
        text_bytes=drawn.text_bytes,
        largest_shard_bytes=drawn.shard_bytes(read.shard_rows),
        resources=resources,
    )
    return trial.forecast(
        find_seconds=(trial.seconds("find passages") + found.more_seconds) / resources.threads,
        threads=resources.threads,
        memory_bytes=found.memory_bytes,
        # Working files are gone before what is left of the documents is written.
        work_bytes=max(found.work_bytes, trial.kept_bytes),
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
    read, config = read or ReadConfig(), config.model_copy(update=OPEN_GUARD)
    widths = []

    def command(sample: InputSpec, out: Path, times: Timed) -> Workspace:
        done = semdedup_files([sample], out, config, read=read, progress=times)
        widths.append(done.dimensions)
        return done.workspace

    drawn = _drawn(inputs, read, seed=seed, progress=progress)
    with progress.step("try a sample"):
        trial = _tried(drawn, command)
        found = estimate_cosines(drawn.documents, widths[-1])
    in_work = threads * drawn.shard_bytes(read.shard_rows)
    return trial.forecast(
        find_seconds=trial.seconds("vectors") / threads + trial.seconds("select") + found.seconds,
        threads=threads,
        memory_bytes=found.memory_bytes + round(in_work * BYTES_A_TEXT_BYTE),
        # The vectors, beside them those of what is kept, which are gone before documents are written.
        work_bytes=found.disk_bytes + max(found.disk_bytes, trial.kept_bytes),
    )


@dataclass(frozen=True)
class _Trial:
    """A command tried on a sample of its input, in one process."""

    drawn: Drawn
    times: Timed
    corpus_sample_bytes: int
    kept_sample_bytes: int

    @property
    def ratio(self) -> float:
        """Of all text to that of the sample."""
        return self.drawn.text_bytes / self.drawn.sample_bytes

    @property
    def kept_bytes(self) -> int:
        """On disk, of what is kept of all documents."""
        return round(self.ratio * self.kept_sample_bytes)

    def seconds(self, step: str) -> float:
        """Of a step for the whole input, one process."""
        return self.times.seconds(step) * self.ratio

    def forecast(self, *, find_seconds: float, threads: int, memory_bytes: int, work_bytes: int) -> Forecast:
        """The whole command, of whose folder ``work_bytes`` are beside the documents as they were read."""
        reading, writing = self.seconds("read"), self.seconds("write") / threads
        return Forecast(
            documents=self.drawn.documents,
            text_bytes=self.drawn.text_bytes,
            complete=self.drawn.complete,
            sample_documents=len(self.drawn.rows),
            read_seconds=reading,
            find_seconds=find_seconds,
            write_seconds=writing,
            seconds=FIXED_SECONDS + reading + find_seconds + writing,
            memory_bytes=memory_bytes,
            disk_bytes=round(self.ratio * self.corpus_sample_bytes) + work_bytes,
        )


def _drawn(inputs: Sequence[Entry], read: ReadConfig, *, seed: int, progress: Progress) -> Drawn:
    require_live_polars()
    return draw(inputs, read, sample_bytes=SAMPLE_BYTES, seed=seed, progress=progress)


def _tried(drawn: Drawn, command: Command) -> _Trial:
    """The command on the sample, after a try on a few rows that loads libraries and kernels."""
    _try_rows(drawn, command, rows=WARM_UP_ROWS)
    return _try_rows(drawn, command, rows=None)


def _try_rows(drawn: Drawn, command: Command, *, rows: int | None) -> _Trial:
    times = Timed()
    with tempfile.TemporaryDirectory(prefix="dq-forecast-") as folder:
        made = command(InputSpec(path=str(drawn.write(Path(folder), rows=rows))), Path(folder) / "out", times)
        corpus, kept = (
            sum(part.stat().st_size for part in place.rglob("*.parquet"))
            for place in (made.root / "corpus", made.kept())
        )
    return _Trial(drawn, times, corpus, kept)
