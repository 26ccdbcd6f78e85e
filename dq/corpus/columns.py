"""The fields of JSON rows as typed Arrow columns, and tables of differing columns made alike.

Columns are united by name. A column that holds values of several types becomes text: texts stay as they are, all else
is its JSON. Whole numbers and fractions make fractions where every digit survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import polars as pl
import pyarrow as pa

from dq.corpus.digits import dumps
from dq.errors import InputError
from dq.text import string_array

MAX_COLUMNS = 2000  # of rows of JSON, whose names may be data: past it they are no table
MAX_KEYS = 200  # of an object that becomes a struct; of more its JSON
EXACT = 2**53  # up to it a float holds every whole number


class _Mixed(Exception):  # noqa: N818
    """Values of several types, or of one that no column holds."""


def table_of_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table, columns in the order in which their names appear; a field that a row lacks is null.

    Raises:
        InputError: there are too many names for a table.
    """
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"rows have over {MAX_COLUMNS:,} names of fields, such as {names[-1][:60]}; that is no table: "
            "name an output that ends with .jsonl, where rows stay as they are"
        )
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    try:
        return _typed(values)
    except _Mixed:
        return string_array(map(_text, values))


def _text(value: Any) -> str | None:
    return value if value is None or type(value) is str else dumps(value)


def _typed(values: list[Any]) -> pa.Array:
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {str}:
        return string_array(values)
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean).to_arrow()
    if kinds <= {int, float}:
        return _numbers(values, whole=kinds == {int})
    if kinds == {list}:
        lengths = [len(value or ()) for value in values]
        offsets = pl.Series(list(accumulate(lengths, initial=0)), dtype=pl.Int64).to_arrow()
        items = _typed(list(chain.from_iterable(value or () for value in values)))
        return pa.LargeListArray.from_arrays(offsets, items, mask=_nulls(values))
    if kinds == {dict}:
        keys = list(dict.fromkeys(chain.from_iterable(value or () for value in values)))
        if not 0 < len(keys) <= MAX_KEYS:
            raise _Mixed
        inner = [_typed([(value or {}).get(key) for value in values]) for key in keys]
        return pa.StructArray.from_arrays(inner, names=keys, mask=_nulls(values))
    raise _Mixed


def _numbers(values: list[Any], *, whole: bool) -> pa.Array:
    integers = [value for value in values if type(value) is int]
    bound = 2**63 - 1 if whole else EXACT
    if integers and not (-bound <= min(integers) and max(integers) <= bound):
        raise _Mixed
    return pl.Series(values, dtype=pl.Int64 if whole else pl.Float64, strict=False).to_arrow()


def _nulls(values: list[Any]) -> pa.Array:
    return pl.Series([value is None for value in values], dtype=pl.Boolean).to_arrow()


def united(left: pa.Schema, right: pa.Schema) -> pa.Schema:
    """The columns of both, those of the left first; one that both have is of a type that holds both."""
    fields = {field.name: field.type for field in left}
    for field in right:
        there = fields.get(field.name)
        fields[field.name] = field.type if there is None else _joined(there, field.type)
    return pa.schema(list(fields.items()), metadata=left.metadata)


def _joined(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if left == right:
        return left
    try:
        schemas = [pa.schema([("value", kind)]) for kind in (left, right)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.large_string()


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of a schema that unites its own.

    Raises:
        InputError: whole numbers past 2^53 are to stand beside fractions.
    """
    columns = [
        _as_type(table.column(field.name), field)
        if field.name in table.schema.names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema.with_metadata(table.schema.metadata))


def _as_type(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    if pa.types.is_large_string(field.type) and not pa.types.is_string(column.type):
        return pa.chunked_array([string_array(map(_text, column.to_pylist()))])
    try:
        return column.cast(field.type)
    except pa.ArrowException:
        raise InputError(
            f"column `{field.name}` holds {column.type} in one part and {field.type} in another, which cannot hold its "
            "values; make it one type, or name an output that ends with .jsonl, where rows stay as they are"
        ) from None
