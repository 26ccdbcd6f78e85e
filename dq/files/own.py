"""Rows as they were, with what dq adds beside them: ids and sources where a row names none, reasons, judged values.

dq's columns have names that no column of the input has. What they are called, and which field is the text, stands in
the metadata of each file, so that folders of `dq filter` are read whatever their columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.corpus.batches import Batch
from dq.corpus.config import InputSpec
from dq.corpus.fields import type_of
from dq.files.tables import arrow

KEY = b"dq.fields"
OF_ROWS = ("file", "row", "reasons")  # of dropped documents, beside the values that rules judged


@dataclass(frozen=True)
class Names:
    """What the columns of a file are called."""

    id: str = "id"
    source: str = "source"
    text: str = "text"
    reasons: str = "reasons"
    file: str = ""
    row: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_file(cls, path: Path) -> Names:
        """As the metadata of a Parquet file has them."""
        found = (pq.read_schema(path).metadata or {}).get(KEY)
        return cls() if found is None else cls(**json.loads(found))

    def column(self, name: str, schema: pl.Schema) -> pl.Expr:
        """A column of a table, nested by dots or not."""
        if name in schema:
            return pl.col(name)
        at = name.find(".")
        while at >= 0:
            if isinstance(schema.get(name[:at]), pl.Struct):
                inner = pl.Schema({one.name: one.dtype for one in schema[name[:at]].fields})  # type: ignore[attr-defined]
                return _inside(pl.col(name[:at]), name[at + 1 :], inner)
            at = name.find(".", at + 1)
        return pl.col(name)

    def needed(self, schema: pa.Schema, values: Sequence[str] = ()) -> list[str]:
        """The columns that `documents` reads: others may be of types that polars lacks."""
        own = (self.id, self.source, self.text, self.reasons, self.file, self.row)
        wanted = [*own, *(self.values.get(name, name) for name in values)]
        return [name for name in wanted if name and type_of(schema, name) is not None]

    def documents(self, frame: pl.DataFrame, *, values: Sequence[str] = ()) -> pl.DataFrame:
        """Rows of a file under the usual names: id, source, text; file, row and reasons where there are; values."""
        schema = frame.schema
        texts = {name: self.column(getattr(self, name), schema).cast(pl.String) for name in ("id", "source", "text")}
        rest = {name: pl.col(self.values.get(name, name)) for name in values if self.values.get(name, name) in schema}
        known = {name: column for name in OF_ROWS if (column := getattr(self, name)) and column in schema}
        return frame.select(**texts, **{name: pl.col(column) for name, column in known.items()}, **rest)


def _inside(struct: pl.Expr, name: str, schema: pl.Schema) -> pl.Expr:
    if name in schema:
        return struct.struct.field(name)
    first, _, rest = name.partition(".")
    inner = pl.Schema({one.name: one.dtype for one in schema[first].fields})  # type: ignore[attr-defined]
    return _inside(struct.struct.field(first), rest, inner)


def rows_with(batch: Batch, spec: InputSpec, why: pl.DataFrame | None) -> pa.Table:
    """The rows of a batch as they were, with an id and a source, and with reasons and values where they are given."""
    table = batch.own if batch.own is not None else pa.table({})
    ids, sources = batch.documents.column("id"), batch.documents.column("source")
    table, source = _named(table, sources, spec.source_field, plain="source", given=spec.source is None)
    table, identity = _named(table, ids, spec.id_field, plain="id", given=True)
    names: dict[str, Any] = {"id": identity, "source": source, "text": spec.text_field, "reasons": "", "values": {}}
    for column in why if why is not None else ():
        name = _free(column.name, table.column_names)
        table = table.append_column(name, arrow(column))
        (names if column.name in OF_ROWS else names["values"])[column.name] = name
    return table.replace_schema_metadata({KEY: orjson.dumps(names)})


def _named(table: pa.Table, made: Any, field_name: str, *, plain: str, given: bool) -> tuple[pa.Table, str]:
    """The table with a column of ids or sources: its own, filled where it is text, or one more."""
    at = table.schema.get_field_index(field_name)
    if at < 0 or not given:
        name = _free(plain, table.column_names)
        return table.add_column(0, name, made), name
    kind = table.schema.field(at).type
    if (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and table.column(at).null_count:
        table = table.set_column(at, field_name, made.cast(kind))
    return table, field_name


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"dq_{name}"
    return name


def lines_with(lines: Sequence[str], why: pl.DataFrame | None) -> list[str]:
    """Rows as lines of JSON, with reasons and values where they are given."""
    if why is None:
        return list(lines)
    return [_line(line, row) for line, row in zip(lines, why.iter_rows(named=True), strict=True)]


def _line(line: str, added: Mapping[str, Any]) -> str:
    fresh: dict[str, Any] = {}
    for name, value in added.items():
        while f'"{name}"' in line:
            name = f"dq_{name}"  # noqa: PLW2901
        fresh[name] = value
    return f"{line.rstrip()[:-1]},{orjson.dumps(fresh).decode()[1:]}"
