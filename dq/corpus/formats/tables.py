"""Rows of Arrow tables as documents: columns stay Arrow, a row becomes a Python object only where it is at fault."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dq.arrays import I64
from dq.corpus.batches import Batch, FileRows
from dq.corpus.digits import dumps
from dq.corpus.documents import DOCUMENT_SCHEMA, FIRST_BYTES, BadRow, Origin
from dq.corpus.fields import column_names, lifted, no_text_field, type_of
from dq.errors import InputError
from dq.text import string_array

# Columns that dq's own files have beside a document: the corpus's, which the text gives again, and those of kept files.
DERIVED = ({"content_key", "n_bytes"}, {"cluster_size"})
NOT_IN_POLARS = ("decimal256", "extension", "list_view")  # parts of the names of types on which polars panics
# Of those that it writes otherwise: bytes as numbers, decimals as floats, times of unknown zones not at all.
NOT_AS_WRITTEN = (*NOT_IN_POLARS, "binary", "decimal", "tz=", "map<", "interval", "union")
MAX_KIND = 60  # characters of a type that a message shows


def documents_of(batch: pa.RecordBatch, rows: I64, origin: Origin, *, max_document_bytes: int) -> Batch:
    """The documents of rows, and what is wrong with the others.

    Args:
        batch: of a table that `check_columns` let pass.
        rows: their numbers in the file, from 1.
        origin: how they are named.
        max_document_bytes: longest text, in bytes of UTF-8.
    """
    named = _plain(_named(batch, origin), origin)
    return _batch(named, rows, origin, max_document_bytes=max_document_bytes, whole=batch)


def _named(batch: pa.RecordBatch, origin: Origin) -> pa.RecordBatch:
    """The batch with nested fields that the input names as columns, and those that the file's folders name."""
    spec = origin.spec
    batch = lifted(batch, (spec.text_field, spec.id_field, spec.source_field))
    for name, value in origin.partitions.items():
        if name not in batch.schema.names:
            batch = batch.append_column(name, pa.repeat(pa.scalar(value, pa.large_string()), len(batch)))
    return batch


def _plain(batch: pa.RecordBatch, origin: Origin) -> pa.RecordBatch:
    """The batch with ids of bytes as text, to be checked as such, and without views, which Arrow cannot filter."""
    for at, field in enumerate(batch.schema):
        kind = str(field.type)
        if field.name == origin.spec.id_field and "binary" in kind:
            options = pc.CastOptions(pa.large_string(), allow_invalid_utf8=True)
        elif kind in ("string_view", "binary_view"):
            options = pc.CastOptions(pa.large_string() if kind == "string_view" else pa.large_binary())
        else:
            continue
        column = batch.column(at)
        column = column.dictionary_decode() if pa.types.is_dictionary(field.type) else column
        batch = batch.set_column(at, field.name, pc.cast(column, options=options))
    return batch


def _whole(batch: pa.RecordBatch, origin: Origin) -> pa.RecordBatch:
    """Rows as they were, with the fields that the file's folders name."""
    for name, value in origin.partitions.items():
        if name not in batch.schema.names:
            batch = batch.append_column(name, pa.repeat(pa.scalar(value, pa.large_string()), len(batch)))
    return batch


def _batch(
    batch: pa.RecordBatch, rows: I64, origin: Origin, *, max_document_bytes: int, whole: pa.RecordBatch
) -> Batch:
    """The rows without their faults."""
    faults = _faults(batch, origin.spec.text_field, max_document_bytes)
    bad = [BadRow(int(rows[at]), reason, first) for at, (reason, first) in sorted(faults.items())]
    if faults:
        good = np.ones(len(batch), bool)
        good[list(faults)] = False
        mask = pl.Series(good).to_arrow()
        batch, rows = batch.filter(mask), rows[good]
        whole = whole.filter(mask) if origin.carries != "meta" else whole
    columns = [
        _ids(batch, rows, origin),
        _sources(batch, origin),
        batch.column(origin.spec.text_field).cast(pa.large_string()),
        _meta(batch, origin) if origin.carries == "meta" else pa.repeat(pa.scalar("{}", pa.large_string()), len(batch)),
    ]
    of_file = FileRows(origin.name, len(batch), len(bad))
    found = Batch(pa.Table.from_arrays(columns, schema=DOCUMENT_SCHEMA), (of_file,), rows, tuple(bad))
    if origin.carries == "meta":
        return found
    row = _whole(_plain(whole, origin), origin)
    own = pa.Table.from_batches([row]).replace_schema_metadata(None) if "columns" in origin.carries else None
    lines = _json_rows(row, row.schema.names) if "lines" in origin.carries else None
    return replace(found, own=own, lines=lines)


def check_columns(schema: pa.Schema, name: str, origin: Origin) -> None:
    """Refuse a table without a column of texts.

    Raises:
        InputError: what is missing, or stands there in its place.
    """
    text, identity = origin.spec.text_field, origin.spec.id_field
    if twice := {name for name, count in Counter(schema.names).items() if count > 1}:
        raise InputError(f"{name}: two columns are named `{min(twice)}`; rename one")
    if (kind := type_of(schema, text)) is None:
        raise no_text_field(f"{name}: no column `{text}`", text, column_names(schema))
    if not _is_text(kind):
        raise no_text_field(
            f"{name}: column `{text}` holds {str(kind)[:MAX_KIND]}, not text", text, column_names(schema)
        )
    given = type_of(schema, identity)
    if given is not None and pa.types.is_nested(given):
        kind_named = str(given)[:MAX_KIND]
        message = f"{name}: column `{identity}` holds {kind_named}, not ids; name that of the ids by `id_field`"
        raise InputError(message, field="id_field")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _faults(batch: pa.RecordBatch, text_field: str, max_document_bytes: int) -> dict[int, tuple[str, bytes]]:
    """Row numbers, what is wrong with each, and its first bytes.

    Arrow's readers check no UTF-8: the whole batch is checked, and halves of it where that fails.
    """
    text = batch.column(text_field)
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    text = text.cast(pa.large_binary())
    faults = dict.fromkeys(_invalid_rows(batch), "invalid_utf8")
    for at in pc.indices_nonzero(pc.greater(pc.binary_length(text), max_document_bytes)).to_pylist():
        faults[at] = "text_too_large"
    for at in pc.indices_nonzero(text.is_null()).to_pylist():
        faults[at] = "text_missing"
    return {at: (reason, (text[at].as_py() or b"")[:FIRST_BYTES]) for at, reason in faults.items()}


def _invalid_rows(batch: pa.RecordBatch, first: int = 0) -> list[int]:
    """Rows that hold invalid UTF-8, at any depth, numbered from ``first``."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return []
    if len(batch) == 1:
        return [first]
    # Taken, not sliced, and without dictionaries: a slice would be checked with all that its buffers hold.
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    plain, half = pa.RecordBatch.from_arrays(columns, batch.schema.names), len(batch) // 2
    parts = ((0, plain.take(np.arange(half))), (half, plain.take(np.arange(half, len(batch)))))
    return [row for start, part in parts for row in _invalid_rows(part, first + start)]


def _ids(batch: pa.RecordBatch, rows: I64, origin: Origin) -> pa.Array:
    """Given ids as text; where there is none, file and row."""
    given = pa.nulls(len(batch), pa.large_string())
    if origin.spec.id_field in batch.schema.names:
        given = _as_text(batch.column(origin.spec.id_field))
    missing = pc.fill_null(pc.equal(given, ""), True)
    if not pc.any(missing).as_py():
        return given
    made = string_array(f"{origin.name}:{row}" for row in rows.tolist())
    return pc.if_else(missing, made, given)


def _sources(batch: pa.RecordBatch, origin: Origin) -> pa.Array:
    """The input's source, else given ones; where there is none, the file's name without its endings."""
    field, fallback = origin.spec.source_field, pa.scalar(origin.spec.source or origin.source, pa.large_string())
    if origin.spec.source or not _names_sources(batch.schema, field):
        return pa.repeat(fallback, len(batch))
    sources = _as_text(batch.column(field))
    return pc.if_else(pc.fill_null(pc.equal(sources, ""), True), fallback, sources)


def _names_sources(schema: pa.Schema, field: str) -> bool:
    """Whether a column says what the source is: by text or by a number; what holds neither stays a column."""
    at = schema.get_field_index(field)
    if at < 0:
        return False
    kind = schema.field(at).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(_is_text(kind) or number or pa.types.is_null(kind) or pa.types.is_decimal(kind))


def _as_text(column: pa.Array) -> pa.Array:
    """Ids and sources as text, every digit of them: NaN is none, and decimals are written out."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        values = [None if value is None or math.isnan(value) else repr(value) for value in column.to_pylist()]
        return string_array(values)
    if pa.types.is_decimal(column.type):
        return string_array([None if value is None else format(value, "f") for value in column.to_pylist()])
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowException, NotImplementedError):
        return string_array([None if value is None else str(value) for value in column.to_pylist()])


def _meta(batch: pa.RecordBatch, origin: Origin) -> pa.Array:
    """All other columns as JSON text; a column `meta` of text alone is such text already."""
    spec = origin.spec
    used = {spec.text_field, spec.id_field}
    if not spec.source and _names_sources(batch.schema, spec.source_field):
        used.add(spec.source_field)
    others = [name for name in batch.schema.names if name not in used]
    if not others or not len(batch):
        return pa.repeat(pa.scalar("{}", pa.large_string()), len(batch))
    if any(set(others) - own == {"meta"} for own in DERIVED) and _is_text(batch.schema.field("meta").type):
        return pc.fill_null(batch.column("meta").cast(pa.large_string()), "{}")
    return _json_rows(batch, others)


def _json_rows(batch: pa.RecordBatch, others: list[str]) -> pa.Array:
    """Some columns of each row as JSON text."""
    kinds = {name: str(batch.schema.field(name).type) for name in others}
    if not any(part in kind for part in NOT_AS_WRITTEN for kind in kinds.values()):
        frame = pl.DataFrame(batch.select(others))
        with contextlib.suppress(pl.exceptions.PolarsError, pa.ArrowException, ValueError):  # it writes no JSON for it
            encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
            return encoded.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    columns = [_values(batch.column(name)) for name in others]
    rows = (dict(zip(others, values, strict=True)) for values in zip(*columns, strict=True))
    return string_array([dumps(row) or "{}" for row in rows])


def _values(column: pa.Array) -> list[Any]:
    """The values of a column of whatever type; times of a zone that this machine does not know are those of UTC."""
    try:
        return list(column.to_pylist())
    except (pa.ArrowException, ValueError, OverflowError, KeyError, NotImplementedError):
        pass
    if pa.types.is_timestamp(column.type):
        zone = f" {column.type.tz}" if column.type.tz else ""
        texts = column.cast(pa.timestamp(column.type.unit)).cast(pa.string()).to_pylist()
        return [None if text is None else f"{text}{zone}" for text in texts]
    return [str(value) for value in column]
