"""Rows become documents in batches of Arrow columns; what cannot become one is a fault with its file and row.

The one place that says what a document is, whatever file it came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
import pyarrow as pa

from dq.corpus.config import InputSpec
from dq.text import string_array

BATCH_BYTES = 8 << 20
BATCH_ROWS = 16_384
FIRST_BYTES = 64  # of a bad row, for the quarantine
DOCUMENT_SCHEMA = pa.schema([(name, pa.large_string()) for name in ("id", "source", "text", "meta")])


@dataclass(slots=True)
class Row:
    """One readable row: its fields and where it came from (line or row number, from 1)."""

    fields: dict[str, Any]
    line: int
    replaced_surrogates: bool = False


@dataclass(slots=True)
class BadRow:
    """One unreadable row, for the quarantine."""

    line: int
    reason: str
    first_bytes: bytes


Document: TypeAlias = tuple[str, str, str, str]
"""In the order of DOCUMENT_SCHEMA; ``meta`` is JSON text of the row's other fields."""


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the name that ids and the quarantine give, and the source of rows that name none."""

    name: str
    source: str
    spec: InputSpec


@dataclass(frozen=True)
class Batch:
    """Documents (columns of DOCUMENT_SCHEMA, no nulls) and the unreadable rows among them."""

    documents: pa.Table
    bad: tuple[BadRow, ...] = ()
    replaced_surrogates: int = 0

    @property
    def rows(self) -> int:
        """Rows that were read, good and bad."""
        return len(self.documents) + len(self.bad)


def batches_of_rows(rows: Iterable[Row | BadRow], origin: Origin, *, max_document_bytes: int) -> Iterator[Batch]:
    """The documents that rows hold, in order, in batches of about 8 MB."""
    documents: list[Document] = []
    bad: list[BadRow] = []
    held = replaced = 0
    for row in rows:
        found = row if isinstance(row, BadRow) else _document(row, origin, max_document_bytes)
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            documents.append(found)
            held += len(found[2])
            replaced += isinstance(row, Row) and row.replaced_surrogates
        if held >= BATCH_BYTES or len(documents) + len(bad) >= BATCH_ROWS:
            yield Batch(_table(documents), tuple(bad), replaced)
            documents, bad, held, replaced = [], [], 0, 0
    if documents or bad:
        yield Batch(_table(documents), tuple(bad), replaced)


def _table(documents: list[Document]) -> pa.Table:
    columns = zip(*documents, strict=True) if documents else [()] * len(DOCUMENT_SCHEMA)
    return pa.Table.from_arrays([string_array(column) for column in columns], schema=DOCUMENT_SCHEMA)


def _document(row: Row, origin: Origin, max_document_bytes: int) -> Document | BadRow:
    """The document that a readable row holds, or what is wrong with it."""
    spec, fields = origin.spec, row.fields
    text = fields.get(spec.text_field)
    if not isinstance(text, str):
        reason = "text_missing" if text is None else "text_not_a_string"
        return BadRow(row.line, reason, (_json(fields) or "").encode()[:FIRST_BYTES])
    if 4 * len(text) > max_document_bytes and len(text.encode()) > max_document_bytes:
        return BadRow(row.line, "text_too_large", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    del fields[spec.text_field]
    given_id, given_source = fields.pop(spec.id_field, None), fields.pop(spec.source_field, None)
    meta = _json(fields) if fields else "{}"
    if meta is None:
        return BadRow(row.line, "fields_not_json", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    named = f"{origin.name}:{row.line}" if given_id in (None, "") else str(given_id)
    source = spec.source or (given_source if isinstance(given_source, str) and given_source else origin.source)
    return named, source, text, meta


def _json(fields: dict[str, Any]) -> str | None:
    """Fields as JSON text: by orjson, else (integers over 64 bits, nesting over 254 levels) by the standard library."""
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        pass
    try:
        return json.dumps(fields, default=str, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
