"""What `dq dedup` would take: read the input once, try a fair sample, extrapolate.

Reading is bounded at 2 GB of text; what lies beyond is extrapolated by the size of the files, a part of a file by the
size that its rows would take on disk. The sample (seeded, each row as likely as another) goes through the very stages
of the job in a temporary folder, which measures reading and writing; finding duplicates is
:func:`dq.dedup.estimate_cost`. A fixed cost covers starting Python and loading compiled kernels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.corpus import InputSpec, ReadConfig
from dq.corpus.documents import DOCUMENT_SCHEMA
from dq.corpus.fields import no_text_field
from dq.corpus.followed import followed
from dq.corpus.formats.compression import compressed_bytes
from dq.corpus.inputs import Entry, InputFile, find_inputs
from dq.corpus.quarantine import RowCounts
from dq.dedup import Resources, estimate_cost
from dq.dedup.policy import LONGEST
from dq.errors import InputError
from dq.executors import QUIET, Progress, Step, Timed, require_live_polars
from dq.files.dedup import dedup_files
from dq.results import Result
from dq.stages.selection import DeduplicationConfig

MAX_READ_BYTES = 2_000_000_000  # of text
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


@dataclass
class _Scan:
    """What reading showed: documents of a fair sample, and how much text there is."""

    generator: np.random.Generator
    sample: list[tuple[float, int, dict[str, str]]] = field(default_factory=list)
    below: float = 1.0  # documents with a smaller draw are in the sample
    sample_bytes: int = 0
    documents: int = 0
    text_bytes: int = 0
    rows_read: RowCounts = field(default_factory=RowCounts)
    file_bytes: float = 0.0  # size on disk of what was read

    def add(self, table: pa.Table) -> None:
        sizes = pl.Series(pc.binary_length(table.column("text"))).to_numpy()
        self.documents += len(table)
        self.text_bytes += int(sizes.sum())
        draws = self.generator.random(len(table))
        for row in np.flatnonzero(draws < self.below):
            self.sample.append((float(draws[row]), int(sizes[row]), table.slice(int(row), 1).to_pylist()[0]))
            self.sample_bytes += int(sizes[row])
            while self.sample_bytes > SAMPLE_BYTES and len(self.sample) > 1:
                self._halve()

    def _halve(self) -> None:
        self.below /= 2
        self.sample = [one for one in self.sample if one[0] < self.below] or [min(self.sample, key=lambda one: one[0])]
        self.sample_bytes = sum(size for _, size, _ in self.sample)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The sample's documents: id, source, text, meta."""
        return [document for _, _, document in self.sample]


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
    generator = np.random.default_rng(seed)
    files = find_inputs(inputs).files
    scan = _Scan(generator)
    complete = True
    with progress.step("read", unit="bytes", total=sum(file.file.size for file in files)) as step:
        for number in generator.permutation(len(files)):
            complete = _scan_file(scan, files[number], max_document_bytes=read.max_document_bytes, step=step)
            if not complete:
                break
    if scan.text_bytes == 0:
        for name, there in scan.rows_read.without_text.items():
            wanted = files[0].spec.text_field
            raise no_text_field(f"{name}: no row has the field `{wanted}`", wanted, there)
        names = ", ".join(file.name for file in files[:3])
        raise InputError(f"no text in {names}; check the field of the text", field="text_field")
    scale = 1.0 if complete else max(1.0, sum(file.file.size for file in files) / scan.file_bytes)
    with progress.step("try a sample"):
        return _forecast(scan, scale, config, kind=files[0].format.sample_ending, read=read, resources=resources)


def _scan_file(scan: _Scan, file: InputFile, *, max_document_bytes: int, step: Step) -> bool:
    """Read a file into the scan; False where the bound on reading came first."""
    documents, text_bytes = scan.documents, scan.text_bytes
    told = partial(step.advance, detail=file.name)
    for batch in followed(file, told, max_document_bytes=max_document_bytes):
        scan.rows_read.add(file.name, batch)
        scan.add(batch.documents)
        if scan.text_bytes > MAX_READ_BYTES:
            read, read_bytes = scan.documents - documents, scan.text_bytes - text_bytes
            scan.file_bytes += _size_on_disk(scan, file, rows=read, text_bytes=read_bytes)
            return False
    scan.file_bytes += file.file.size
    return True


def _size_on_disk(scan: _Scan, file: InputFile, *, rows: int, text_bytes: int) -> float:
    """About how much of a file so many of its rows take."""
    if (all_rows := file.format.count_rows(file.file)) is not None:
        return file.file.size * rows / all_rows
    return text_bytes * compressed_bytes(file.file, _lines(scan.rows)) / scan.sample_bytes


def _lines(rows: Sequence[dict[str, str]]) -> bytes:
    """Documents as JSON lines, about as long as those that they came from."""
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _forecast(
    scan: _Scan, scale: float, config: DeduplicationConfig, *, kind: str, read: ReadConfig, resources: Resources
) -> Forecast:
    documents, text_bytes = round(scan.documents * scale), round(scan.text_bytes * scale)
    ratio = text_bytes / scan.sample_bytes
    rows = scan.rows
    texts = [row["text"] for row in rows]
    _try_sample(rows[:WARM_UP_ROWS], config, kind=kind, read=read)  # loads libraries and kernels
    times, corpus_bytes, kept_bytes = _try_sample(rows, config, kind=kind, read=read)
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
        complete=scale == 1.0,
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
    rows: Sequence[dict[str, str]], config: DeduplicationConfig, *, kind: str, read: ReadConfig
) -> tuple[Timed, int, int]:
    """Seconds of each step of the job on the sample, one process, and the bytes of the corpus and of what is kept."""
    times = Timed()
    with tempfile.TemporaryDirectory(prefix="dq-dedup-") as folder:
        path = Path(folder) / f"sample{kind}"
        if kind == ".jsonl":
            path.write_bytes(_lines(rows))
        else:
            pq.write_table(pa.Table.from_pylist(list(rows), schema=DOCUMENT_SCHEMA), path)
        sample = InputSpec(path=str(path))
        open_guard = config.model_copy(update={"max_removed_fraction": 1.0, "keep": LONGEST})
        done = dedup_files([sample], Path(folder) / "out", open_guard, read=read, progress=times)
        sizes = [
            sum(part.stat().st_size for part in place.rglob("*.parquet"))
            for place in (done.workspace.root / "corpus", done.workspace.kept())
        ]
    return times, sizes[0], sizes[1]
