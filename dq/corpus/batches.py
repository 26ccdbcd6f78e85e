"""Documents in batches of Arrow columns, which know of which file and row each document is.

A call costs much more than a row, so rows of many small files fill a batch together: one document a file takes about
the time of one file.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arrays import I64
from dq.corpus.columns import as_schema, table_of_rows, united
from dq.corpus.config import InputSpec
from dq.corpus.digits import dumps
from dq.corpus.documents import DOCUMENT_SCHEMA, BadRow, Document, Origin, PassedOver, Row, document_of, whole_row
from dq.text import string_array

BATCH_BYTES = 8 << 20
BATCH_ROWS = 16_384
T = TypeVar("T")


class FileRows(NamedTuple):
    """How many rows of a file are in a batch."""

    name: str
    documents: int
    bad: int


@dataclass(frozen=True)
class Batch:
    """Documents and the unreadable rows among them, of one file or of some, one after the other."""

    documents: pa.Table
    """Columns of DOCUMENT_SCHEMA, no nulls."""
    files: tuple[FileRows, ...]
    """Whose rows these are, in order; a file without any is there too."""
    numbers: I64
    """Of each document its line or row in its file, from 1."""
    bad: tuple[BadRow, ...] = ()
    replaced_surrogates: int = 0
    own: pa.Table | None = None
    """The rows of the documents as they were, in columns, where these were asked for."""
    lines: pa.Array | None = None
    """The same as lines of JSON."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """What the files have beside rows, by its kind."""

    @property
    def rows(self) -> int:
        """Rows that were read, good and bad."""
        return len(self.documents) + len(self.bad)

    def places(self) -> pl.DataFrame:
        """Of each document the file and its row in it: no two are alike, whatever ids the rows give."""
        names = pl.Series("file", [one.name for one in self.files], dtype=pl.String)
        return pl.DataFrame({"file": names.gather(self._file_numbers()), "row": self.numbers})

    def filter(self, chosen: pl.Series) -> Batch:
        """Some of the documents, without the unreadable rows."""
        mask, arrow_mask = chosen.to_numpy(), chosen.to_arrow()
        counts = np.bincount(self._file_numbers()[mask], minlength=len(self.files)).tolist()
        return Batch(
            self.documents.filter(arrow_mask),
            tuple(FileRows(one.name, count, 0) for one, count in zip(self.files, counts, strict=True)),
            self.numbers[mask],
            own=None if self.own is None else self.own.filter(arrow_mask),
            lines=None if self.lines is None else self.lines.filter(arrow_mask),
        )

    def _file_numbers(self) -> I64:
        return np.repeat(np.arange(len(self.files)), [one.documents for one in self.files])

    def unreadable(self) -> Iterator[tuple[str, BadRow]]:
        """The unreadable rows, each with the name of its file."""
        names = itertools.chain.from_iterable(itertools.repeat(one.name, one.bad) for one in self.files)
        return zip(names, self.bad, strict=True)


def in_runs(
    parts: Iterable[T], *, max_rows: int = BATCH_ROWS, table: Callable[[T], Any] = lambda part: part
) -> Iterator[list[T]]:
    """Parts in runs of about 8 MB.

    Args:
        parts: tables of Arrow, or what holds one.
        max_rows: of a run, up to the last part.
        table: the table of a part.
    """
    held: list[T] = []
    rows = size = 0
    for part in parts:
        held.append(part)
        rows, size = rows + len(table(part)), size + table(part).nbytes
        if size >= BATCH_BYTES or rows >= max_rows:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


def gathered(batches: Iterable[tuple[InputSpec, Batch]]) -> Iterator[tuple[InputSpec, Batch]]:
    """Batches of one kind of fields together, up to about 8 MB: columnar files, too, may be small."""
    for spec, same in itertools.groupby(batches, key=operator.itemgetter(0)):
        for held in in_runs((batch for _, batch in same), table=operator.attrgetter("documents")):
            yield spec, held[0] if len(held) == 1 else _together(held)


def _together(batches: list[Batch]) -> Batch:
    tables = [batch.own for batch in batches if batch.own is not None]
    own = None
    if tables:
        schema = functools.reduce(united, (table.schema for table in tables))
        own = pa.concat_tables([as_schema(table, schema) for table in tables])
    lines = [batch.lines for batch in batches if batch.lines is not None]
    return Batch(
        documents=pa.concat_tables([batch.documents for batch in batches]),
        files=tuple(itertools.chain.from_iterable(batch.files for batch in batches)),
        numbers=np.concatenate([batch.numbers for batch in batches]),
        bad=tuple(itertools.chain.from_iterable(batch.bad for batch in batches)),
        replaced_surrogates=sum(batch.replaced_surrogates for batch in batches),
        own=own,
        lines=pa.concat_arrays(lines) if lines else None,
        passed_over=sum((Counter(batch.passed_over) for batch in batches), Counter[str]()),
    )


def batches_of_rows(
    files: Iterable[tuple[Origin, Iterable[Row | BadRow | PassedOver]]], *, max_document_bytes: int
) -> Iterator[Batch]:
    """The documents that the rows of some files hold, in order, in batches of about 8 MB.

    Files of one call carry the same along.
    """
    filling = _Filling()
    for origin, rows in files:
        filling.begin(origin)
        for row in rows:
            filling.add(row, max_document_bytes)
            if filling.is_full:
                yield filling.batch()
                filling = _Filling()
                filling.begin(origin)
    if filling.files:
        yield filling.batch()


class _Filling:
    """A batch that is not full yet."""

    def __init__(self) -> None:
        self.files: list[tuple[str, int, int]] = []  # name, and how many documents and bad rows came before
        self._documents: list[Document] = []
        self._numbers: list[int] = []
        self._bad: list[BadRow] = []
        self._rows: list[tuple[Row, Origin]] = []
        self._bytes = self._replaced = 0
        self._passed: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        return self._bytes >= BATCH_BYTES or len(self._documents) + len(self._bad) >= BATCH_ROWS

    def begin(self, origin: Origin) -> None:
        """What follows is of this file."""
        self._origin = origin
        self.files.append((origin.name, len(self._documents), len(self._bad)))

    def add(self, row: Row | BadRow | PassedOver, max_document_bytes: int) -> None:
        """Take a row as the document that it holds, or as the fault that it is."""
        if isinstance(row, PassedOver):
            self._passed[row.kind] += 1
            return
        if isinstance(row, BadRow):
            self._bad.append(row)
            return
        found = document_of(row, self._origin, max_document_bytes=max_document_bytes)
        if isinstance(found, BadRow):
            self._bad.append(found)
            return
        self._documents.append(found)
        self._numbers.append(row.line)
        if self._origin.carries != "meta":
            self._rows.append((row, self._origin))
        self._bytes += len(found[2])
        self._replaced += row.replaced_surrogates

    def batch(self) -> Batch:
        """What has been taken."""
        ends = [*self.files[1:], ("", len(self._documents), len(self._bad))]
        files = [
            FileRows(name, end[1] - documents, end[2] - bad)
            for (name, documents, bad), end in zip(self.files, ends, strict=True)
        ]
        columns = zip(*self._documents, strict=True) if self._documents else [()] * len(DOCUMENT_SCHEMA)
        table = pa.Table.from_arrays([string_array(column) for column in columns], schema=DOCUMENT_SCHEMA)
        numbers = np.array(self._numbers, np.int64)
        found = Batch(table, tuple(files), numbers, tuple(self._bad), self._replaced, self._own(), self._lines())
        return replace(found, passed_over=self._passed) if self._passed else found

    def _own(self) -> pa.Table | None:
        """Rows as columns, with the fields that their files' folders name."""
        if "columns" not in self._origin.carries:
            return None
        return table_of_rows([whole_row(row, origin) for row, origin in self._rows])

    def _lines(self) -> pa.Array | None:
        """Rows as lines of JSON."""
        if "lines" not in self._origin.carries:
            return None
        return string_array(_line(row, origin) for row, origin in self._rows)


def _line(row: Row, origin: Origin) -> str | None:
    """A row as it was written, where nothing is to be added or mended."""
    written = row.written.strip().decode() if row.written and not origin.partitions else ""
    return written or dumps(whole_row(row, origin))
