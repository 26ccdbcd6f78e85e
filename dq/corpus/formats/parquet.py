"""Parquet rows to batches of documents: columns stay Arrow, a row becomes a Python object only where it is at fault.

Memory is bounded by the batch and the largest page: `dq.corpus.formats.parquet_bounds` says how many rows are decoded.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dq.corpus.batches import BATCH_BYTES, BATCH_ROWS, Batch, in_runs
from dq.corpus.documents import Origin
from dq.corpus.formats.base import ColumnFormat
from dq.corpus.formats.compression import compression_of, seekable
from dq.corpus.formats.parquet_bounds import bounded_rows, check_width
from dq.corpus.formats.tables import check_columns, documents_of
from dq.corpus.places import File

MAGIC = b"PAR1"


@dataclass(frozen=True)
class Groups:
    """Row groups [first, end) of a file, whose first row (from 0) is ``row``."""

    first: int
    end: int
    row: int


class Parquet(ColumnFormat[Groups]):
    """Columns, in row groups."""

    endings: ClassVar = (".parquet",)
    sample_ending: ClassVar = ".parquet"

    def batches(
        self, file: File, origin: Origin, *, max_document_bytes: int, part: Groups | None = None
    ) -> Iterator[Batch]:
        """The documents of the file, or of some of its row groups."""
        with _opened(file) as (stored, table):
            check_columns(table.schema_arrow, file.name, origin)
            chosen = part or Groups(0, table.num_row_groups, 0)
            numbers = list(range(chosen.first, chosen.end))
            row = chosen.row
            if not numbers:
                return
            size, most = _batch_rows(table, numbers), bounded_rows(stored, table, numbers, name=file.name)
            batches = table.iter_batches(batch_size=min(size, most), row_groups=numbers, use_threads=False)
            for batch in batches if most >= size else _joined(batches, max_rows=size):
                rows = np.arange(row + 1, row + 1 + len(batch))
                row += len(batch)
                yield documents_of(batch, rows, origin, max_document_bytes=max_document_bytes)

    def cut(self, file: File, *, max_bytes: int) -> list[tuple[Groups | None, int]]:
        """Runs of row groups of at most ``max_bytes`` uncompressed, one group at least."""
        if compression_of(file) is not None:
            return super().cut(file, max_bytes=max_bytes)
        with _opened(file) as (_stored, table):
            groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
        cuts, held = [0], 0
        for number, group in enumerate(groups):
            if held and held + group.total_byte_size > max_bytes:
                cuts.append(number)
                held = 0
            held += group.total_byte_size
        rows = list(itertools.accumulate((group.num_rows for group in groups), initial=0))
        return [
            (Groups(first, end, rows[first]), sum(group.total_byte_size for group in groups[first:end]))
            for first, end in itertools.pairwise([*cuts, len(groups)])
        ]

    def count_rows(self, file: File) -> int:
        """Its rows, by its own metadata."""
        with _opened(file) as (_stored, table):
            return int(table.metadata.num_rows)


@contextlib.contextmanager
def _opened(file: File) -> Iterator[tuple[pa.NativeFile, pq.ParquetFile]]:
    """The bytes of a file and its table; a compressed file, in which nothing can be sought, is unpacked aside."""
    with seekable(file) as stored, pq.ParquetFile(stored, buffer_size=1 << 20) as table:
        check_width(table, file.name)
        yield stored, table


def _joined(batches: Iterator[pa.RecordBatch], *, max_rows: int) -> Iterator[pa.RecordBatch]:
    """Batches that were read small, for fear of what they hold, put together to the usual size."""
    for held in in_runs(batches, max_rows=max_rows):
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def _batch_rows(file: pq.ParquetFile, groups: list[int]) -> int:
    """Rows that make about BATCH_BYTES, by the file's own metadata."""
    rows = sum(file.metadata.row_group(number).num_rows for number in groups)
    held = sum(file.metadata.row_group(number).total_byte_size for number in groups)
    return max(1, min(BATCH_ROWS, int(rows * BATCH_BYTES // max(1, held))))
