"""A fair sample of an input and the size of the whole: what forecasts rest on.

Reading is bounded at 2 GB of text; what lies beyond is extrapolated by the size of the files, a part of a file by the
size that its rows would take on disk. The sample is seeded, and each row as likely in it as another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.corpus.config import ReadConfig
from dq.corpus.documents import DOCUMENT_SCHEMA
from dq.corpus.fields import no_text_field
from dq.corpus.followed import followed, in_order
from dq.corpus.formats.compression import compressed_bytes
from dq.corpus.inputs import Entry, InputFile, find_inputs
from dq.corpus.quarantine import RowCounts
from dq.errors import InputError
from dq.executors import QUIET, Progress, Step

MAX_READ_BYTES = 2_000_000_000  # of text
GROUP_ROWS = 1_000  # of Parquet, as `datasets` and datatrove write it


@dataclass(frozen=True)
class Drawn:
    """Documents of an input, and how much text there is in all of it.

    Attributes:
        rows: documents of the sample: id, source, text, meta.
        sample_bytes: UTF-8 of their texts.
        documents: of the input; expected, or counted where ``complete``.
        text_bytes: UTF-8 of their texts, likewise.
        complete: everything was read; nothing is extrapolated.
        ending: of a file of the input's kind, without compression.
    """

    rows: list[dict[str, str]]
    sample_bytes: int
    documents: int
    text_bytes: int
    complete: bool
    ending: str

    def shard_bytes(self, rows: int) -> int:
        """Text of a shard of so many documents of the input."""
        return min(self.text_bytes, round(rows * self.text_bytes / self.documents))

    def write(self, folder: Path, *, rows: int | None = None) -> Path:
        """The sample, or its first rows, as a file of the input's kind."""
        path, some = folder / f"sample{self.ending}", self.rows[:rows]
        if self.ending == ".jsonl":
            path.write_bytes(_lines(some))
        else:
            pq.write_table(pa.Table.from_pylist(some, schema=DOCUMENT_SCHEMA), path, row_group_size=GROUP_ROWS)
        return path


def draw(
    inputs: Sequence[Entry],
    read: ReadConfig,
    *,
    sample_bytes: int,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Drawn:
    """Read an input, and keep about ``sample_bytes`` of its text.

    Raises:
        InputError: a file is missing or unreadable, or none of the rows holds a text.
    """
    generator = np.random.default_rng(seed)
    files = find_inputs(inputs).files
    scan = _Scan(generator, sample_bytes)
    complete, all_bytes = True, sum(file.file.size for file in files)
    with progress.step("read", unit="bytes", total=all_bytes) as step:
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
    scale = 1.0 if complete else max(1.0, all_bytes / scan.file_bytes)
    return Drawn(
        scan.rows,
        scan.sample_bytes,
        documents=round(scan.documents * scale),
        text_bytes=round(scan.text_bytes * scale),
        complete=scale == 1.0,
        ending=files[0].format.sample_ending,
    )


@dataclass
class _Scan:
    """What reading showed: documents of a fair sample, and how much text there is."""

    generator: np.random.Generator
    max_sample_bytes: int
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
            while self.sample_bytes > self.max_sample_bytes and len(self.sample) > 1:
                self._halve()

    def _halve(self) -> None:
        self.below /= 2
        self.sample = [one for one in self.sample if one[0] < self.below] or [min(self.sample, key=lambda one: one[0])]
        self.sample_bytes = sum(size for _, size, _ in self.sample)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The documents (id, source, text, meta) by their draws, so that the first of them are a fair sample too."""
        return [document for _, _, document in sorted(self.sample, key=lambda one: one[0])]


def _scan_file(scan: _Scan, file: InputFile, *, max_document_bytes: int, step: Step) -> bool:
    """Read a file into the scan; False where the bound on reading came first."""
    documents, text_bytes = scan.documents, scan.text_bytes
    for _, batch in followed(in_order([file]), step, max_document_bytes=max_document_bytes):
        scan.rows_read.add(batch)
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
    """Documents as JSON lines of all their fields, about as long as those that they came from."""
    whole = ({**orjson.loads(row["meta"]), **{name: row[name] for name in ("id", "source", "text")}} for row in rows)
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in whole)
