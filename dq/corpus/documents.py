"""Rows become documents in batches of Arrow columns; what cannot become one is a fault with its file and row.

The one place that says what a document is, whatever file it came from.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import pyarrow as pa

from dq.corpus.columns import as_schema, table_of_rows, united
from dq.corpus.config import InputSpec
from dq.corpus.digits import dumps
from dq.corpus.fields import take, text_names, value_of
from dq.text import string_array

BATCH_BYTES = 8 << 20
BATCH_ROWS = 16_384
Part = TypeVar("Part")
FIRST_BYTES = 64  # of a bad row, for the quarantine
DOCUMENT_SCHEMA = pa.schema([(name, pa.large_string()) for name in ("id", "source", "text", "meta")])


@dataclass(slots=True)
class Row:
    """One readable row: its fields and where it came from (line or row number, from 1)."""

    fields: dict[str, Any]
    line: int
    replaced_surrogates: bool = False
    written: bytes = b""
    """The line, where it is the row as it stands."""


@dataclass(slots=True)
class BadRow:
    """One unreadable row, for the quarantine."""

    line: int
    reason: str
    first_bytes: bytes
    fields: tuple[str, ...] = ()
    """The names of its fields, where the one of the text is not among them."""


Document: TypeAlias = tuple[str, str, str, str]
"""In the order of DOCUMENT_SCHEMA; ``meta`` is JSON text of the row's other fields."""


Carried: TypeAlias = Literal["meta", "columns", "lines", "columns and lines"]
"""How the other fields of a row come along: as JSON text in ``meta``; or, for outputs that keep rows as they are, the
whole row as columns of its own names and types (`Batch.own`), as a line of JSON (`Batch.lines`), or both."""


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the name that ids and the quarantine give, and the source of rows that name none."""

    name: str
    source: str
    spec: InputSpec
    partitions: Mapping[str, str] = field(default_factory=dict)
    """Fields that the folders of the file name (``lang=en/``); the row's own come first."""
    carries: Carried = "meta"
    """How the other fields come along."""


@dataclass(frozen=True)
class Batch:
    """Documents (columns of DOCUMENT_SCHEMA, no nulls) and the unreadable rows among them."""

    documents: pa.Table
    bad: tuple[BadRow, ...] = ()
    replaced_surrogates: int = 0
    own: pa.Table | None = None
    """The rows of the documents as they were, in columns, where these were asked for."""
    lines: pa.Array | None = None
    """The same as lines of JSON."""

    def filter(self, mask: pa.Array) -> Batch:
        """Some of the documents, without the unreadable rows."""
        own = None if self.own is None else self.own.filter(mask)
        lines = None if self.lines is None else self.lines.filter(mask)
        return Batch(self.documents.filter(mask), own=own, lines=lines)

    @property
    def rows(self) -> int:
        """Rows that were read, good and bad."""
        return len(self.documents) + len(self.bad)


def in_runs(
    parts: Iterable[Part], *, max_rows: int = BATCH_ROWS, table: Callable[[Part], Any] = lambda part: part
) -> Iterator[list[Part]]:
    """Parts in runs of about 8 MB, since a call costs much more than a row: small files make small parts.

    Args:
        parts: tables of Arrow, or what holds one.
        max_rows: of a run, up to the last part.
        table: the table of a part.
    """
    held: list[Part] = []
    rows = size = 0
    for part in parts:
        held.append(part)
        rows, size = rows + len(table(part)), size + table(part).nbytes
        if size >= BATCH_BYTES or rows >= max_rows:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


def gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Documents in tables of about 8 MB, whatever they came in."""
    return map(pa.concat_tables, in_runs(tables))


def batches_of_rows(rows: Iterable[Row | BadRow], origin: Origin, *, max_document_bytes: int) -> Iterator[Batch]:
    """The documents that rows hold, in order, in batches of about 8 MB."""
    documents: list[Document] = []
    rows_kept: list[Row] = []
    bad: list[BadRow] = []
    held = replaced = 0
    for row in rows:
        found = row if isinstance(row, BadRow) else _document(row, origin, max_document_bytes)
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            documents.append(found)
            if origin.carries != "meta" and isinstance(row, Row):
                rows_kept.append(row)
            held += len(found[2])
            replaced += isinstance(row, Row) and row.replaced_surrogates
        if held >= BATCH_BYTES or len(documents) + len(bad) >= BATCH_ROWS:
            yield Batch(_table(documents), tuple(bad), replaced, _own(rows_kept, origin), _lines(rows_kept, origin))
            documents, rows_kept, bad, held, replaced = [], [], [], 0, 0
    if documents or bad:
        yield Batch(_table(documents), tuple(bad), replaced, _own(rows_kept, origin), _lines(rows_kept, origin))


def _own(rows: list[Row], origin: Origin) -> pa.Table | None:
    """Rows as columns, with the fields that the file's folders name."""
    if "columns" not in origin.carries:
        return None
    return table_of_rows([_whole(row, origin) for row in rows])


def _lines(rows: list[Row], origin: Origin) -> pa.Array | None:
    """Rows as lines of JSON: as they were written, where nothing is to be added or mended."""
    if "lines" not in origin.carries:
        return None
    written = (row.written.strip().decode() if row.written and not origin.partitions else "" for row in rows)
    return string_array(line or dumps(_whole(row, origin)) for line, row in zip(written, rows, strict=True))


def _whole(row: Row, origin: Origin) -> dict[str, Any]:
    return {**row.fields, **origin.partitions, **row.fields} if origin.partitions else row.fields


def gathered_rows(batches: Iterable[tuple[InputSpec, Batch]]) -> Iterator[tuple[InputSpec, Batch]]:
    """Batches of one kind of fields together."""
    for spec, same in itertools.groupby(batches, key=operator.itemgetter(0)):
        for held in in_runs((batch for _, batch in same), table=operator.attrgetter("documents")):
            yield spec, _together(held)


def _together(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    tables = [batch.own for batch in batches if batch.own is not None]
    own = None
    if tables:
        schema = functools.reduce(united, (table.schema for table in tables))
        own = pa.concat_tables([as_schema(table, schema) for table in tables])
    lines = [batch.lines for batch in batches if batch.lines is not None]
    documents = pa.concat_tables([batch.documents for batch in batches])
    return Batch(documents, own=own, lines=pa.concat_arrays(lines) if lines else None)


def _table(documents: list[Document]) -> pa.Table:
    columns = zip(*documents, strict=True) if documents else [()] * len(DOCUMENT_SCHEMA)
    return pa.Table.from_arrays([string_array(column) for column in columns], schema=DOCUMENT_SCHEMA)


def _document(row: Row, origin: Origin, max_document_bytes: int) -> Document | BadRow:
    """The document that a readable row holds, or what is wrong with it."""
    spec, fields = origin.spec, row.fields
    if origin.partitions:
        fields = {**origin.partitions, **fields}
    text = value_of(fields, spec.text_field)
    if type(text) is not str:
        first = (dumps(fields) or "").encode()[:FIRST_BYTES]
        if text is None:
            return BadRow(row.line, "text_missing", first, tuple(text_names(fields)))
        return BadRow(row.line, "text_not_a_string", first)
    if 4 * len(text) > max_document_bytes and len(text.encode()) > max_document_bytes:
        return BadRow(row.line, "text_too_large", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    if origin.carries != "meta":
        named = _as_name(value_of(fields, spec.id_field)) or f"{origin.name}:{row.line}"
        given = value_of(fields, spec.source_field)
        given = _as_name(given) if isinstance(given, (str, int, float)) else ""
        return named, spec.source or given or origin.source, text, "{}"
    take(fields, spec.text_field)
    named = _as_name(take(fields, spec.id_field)) or f"{origin.name}:{row.line}"
    source = spec.source or _source(fields, spec.source_field) or origin.source
    meta = dumps(fields) if fields else "{}"
    if meta is None:
        return BadRow(row.line, "fields_not_json", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    return named, source, text, meta


def _source(fields: dict[str, Any], name: str) -> str:
    """The source that a row names, which may be a number; what is neither stays among its other fields."""
    value = value_of(fields, name)
    if value is not None and not isinstance(value, (str, int, float)):
        return ""
    return _as_name(take(fields, name))


def _as_name(value: Any) -> str:
    """An id or a source as text, every digit of it; none of null, NaN and the empty text."""
    if isinstance(value, str):
        return str(value)
    if value is None or value != value:  # noqa: PLR0124
        return ""
    if type(value) is int:
        return str(value)
    return dumps(value) or str(value)
