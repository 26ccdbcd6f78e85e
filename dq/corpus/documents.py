"""Rows become documents; what cannot become one is a fault with its file and row.

The one place that says what a document is, whatever file it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from dq.corpus.config import InputSpec
from dq.corpus.digits import dumps
from dq.corpus.fields import take, text_names, value_of

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
    offset: int | None = None
    """Where in the file it is stored, if its format tells."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What a format has beside rows, by its kind, to be counted: an image of a crawl, say."""

    kind: str


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


def whole_row(row: Row, origin: Origin) -> dict[str, Any]:
    """The fields of a row, with those that its file's folders name."""
    return {**row.fields, **origin.partitions, **row.fields} if origin.partitions else row.fields


def document_of(row: Row, origin: Origin, *, max_document_bytes: int) -> Document | BadRow:
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
