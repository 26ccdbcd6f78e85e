"""A row becomes a document, or a fault: what every reader of rows agrees on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from dq.corpus.config import InputSpec
from dq.corpus.rows import FIRST_BYTES, BadRow, Row

__all__ = ["Document", "Origin", "document_of", "quarantine_line"]


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the name that ids and the quarantine give, and the source of rows that name none."""

    name: str
    source: str
    spec: InputSpec


@dataclass(slots=True)
class Document:
    """One document; ``meta`` is JSON text of the row's other fields, ``n_bytes`` the text's UTF-8."""

    id: str
    source: str
    text: str
    meta: str
    n_bytes: int


def document_of(row: Row, origin: Origin, *, max_document_bytes: int) -> Document | BadRow:
    """The document that a readable row holds, or what is wrong with it."""
    spec, fields = origin.spec, row.fields
    text = fields.get(spec.text_field)
    if not isinstance(text, str):
        reason = "text_missing" if text is None else "text_not_a_string"
        return BadRow(row.line, reason, (_json(fields) or "").encode()[:FIRST_BYTES])
    n_bytes = len(text.encode())
    if n_bytes > max_document_bytes:
        return BadRow(row.line, "text_too_large", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    del fields[spec.text_field]
    given_id, given_source = fields.pop(spec.id_field, None), fields.pop(spec.source_field, None)
    meta = _json(fields)
    if meta is None:
        return BadRow(row.line, "fields_not_json", text[:FIRST_BYTES].encode()[:FIRST_BYTES])
    return Document(
        id=f"{origin.name}:{row.line}" if given_id in (None, "") else str(given_id),
        source=spec.source or (given_source if isinstance(given_source, str) and given_source else origin.source),
        text=text,
        meta=meta,
        n_bytes=n_bytes,
    )


def quarantine_line(name: str, row: BadRow) -> bytes:
    """A line of ``quarantined.jsonl``: file, line (or row, from 1), reason, first bytes."""
    first = row.first_bytes.decode("utf-8", "replace")
    return orjson.dumps({"file": name, "line": row.line, "reason": row.reason, "first_bytes": first}) + b"\n"


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
