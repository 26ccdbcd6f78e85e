"""What `dq dedup` would take: read the input once, try a fair sample, extrapolate.

The sample goes through the very stages of the command in a temporary folder, which measures reading and writing;
finding duplicates is :func:`dq.dedup.estimate_cost`. A fixed cost covers starting Python and loading compiled kernels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dq.corpus import InputSpec, ReadConfig
from dq.corpus.drawn import Drawn, draw
from dq.corpus.inputs import Entry
from dq.dedup import Resources, estimate_cost
from dq.dedup.policy import LONGEST
from dq.executors import QUIET, Progress, Timed, require_live_polars
from dq.files.dedup import dedup_files
from dq.results import Result
from dq.stages.selection import DeduplicationConfig

SAMPLE_BYTES = 24_000_000  # of text: a few seconds of work
FIXED_SECONDS = 4.0  # imports, kernels from the cache, tables: measured 3 to 5
WARM_UP_ROWS = 20


@dataclass(frozen=True)
class Forecast(Result):
    """Expected cost of a deduplication on this machine as busy as it is now.

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
    require_live_polars()
    read, resources = read or ReadConfig(), resources or Resources()
    drawn = draw(inputs, read, sample_bytes=SAMPLE_BYTES, seed=seed, progress=progress)
    with progress.step("try a sample"):
        return _forecast(drawn, config, read=read, resources=resources)


def _forecast(drawn: Drawn, config: DeduplicationConfig, *, read: ReadConfig, resources: Resources) -> Forecast:
    documents, text_bytes = drawn.documents, drawn.text_bytes
    ratio = text_bytes / drawn.sample_bytes
    texts = [row["text"] for row in drawn.rows]
    _try_sample(drawn, config, rows=WARM_UP_ROWS, read=read)  # loads libraries and kernels
    times, corpus_bytes, kept_bytes = _try_sample(drawn, config, rows=None, read=read)
    found = estimate_cost(
        texts,
        config.method,
        documents=documents,
        text_bytes=text_bytes,
        largest_shard_bytes=min(text_bytes, round(read.shard_rows * text_bytes / documents)),
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


def _try_sample(
    drawn: Drawn, config: DeduplicationConfig, *, rows: int | None, read: ReadConfig
) -> tuple[Timed, int, int]:
    """Seconds of each step of the job on the sample, one process, and the bytes of the corpus and of what is kept."""
    times = Timed()
    with tempfile.TemporaryDirectory(prefix="dq-dedup-") as folder:
        sample = InputSpec(path=str(drawn.write(Path(folder), rows=rows)))
        open_guard = config.model_copy(update={"max_removed_fraction": 1.0, "keep": LONGEST})
        done = dedup_files([sample], Path(folder) / "out", open_guard, read=read, progress=times)
        sizes = [
            sum(part.stat().st_size for part in place.rglob("*.parquet"))
            for place in (done.workspace.root / "corpus", done.workspace.kept())
        ]
    return times, sizes[0], sizes[1]
