"""The fields of a row by their names: nested by dots, and what a message says where there is none of a name.

``data.text`` is the field ``text`` of the object ``data``; a key that itself has a dot comes first.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dq.errors import ConfigError, InputError

MAX_NAMES = 24  # that a message lists
MAX_CHARS = 60  # of each
USUAL = ("text", "content", "raw_content", "body", "document", "completion")  # what others call the text
PARTITION = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.S)
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def value_of(fields: Mapping[str, Any], name: str) -> Any:
    """The value of a field; None where there is none."""
    if (holder := _holder(fields, name)) is None:
        return None
    return holder[0][holder[1]]


def take(fields: dict[str, Any], name: str) -> Any:
    """The value of a field, which is taken out; None where there is none."""
    if (holder := _holder(fields, name)) is None:
        return None
    return holder[0].pop(holder[1])


def json_field(rows: pl.Series, name: str) -> pl.Series:
    """A field of rows of JSON by its name, with dots where it is nested; null where there is none or it is null."""
    whole, nested = (f"$['{name}']", "$" + "".join(f"['{part}']" for part in name.split(".")))
    if "'" in name:
        raise ConfigError(f"`{name}`: a field whose name has a quote cannot be read as an address", field="urls")
    found = rows.str.json_path_match(whole)
    return found if whole == nested else found.fill_null(rows.str.json_path_match(nested))


def _holder(fields: Any, name: str) -> tuple[dict[str, Any], str] | None:
    """The object that holds a field, and its key there."""
    if name in fields:
        return fields, name
    for first, rest in _cuts(name):
        inner = fields.get(first)
        if isinstance(inner, dict) and (found := _holder(inner, rest)) is not None:
            return found
    return None


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    at = name.find(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.find(".", at + 1)


def text_names(fields: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The names of the fields of a row, nested ones with dots, at most a few dozen; those of objects for their own."""
    found: list[str] = []
    for name, value in fields.items():
        if len(found) >= MAX_NAMES:
            break
        inner = text_names(value, f"{prefix}{name}.") if isinstance(value, dict) and prefix.count(".") < 2 else []
        found += inner or [f"{prefix}{name}"[:MAX_CHARS]]
    return found[:MAX_NAMES]


def column_names(schema: pa.Schema) -> list[str]:
    """The names of the columns of a table, nested ones with dots, at most a few dozen."""
    found: list[str] = []
    for field in schema:
        found += _leaves(field, "")
        if len(found) >= MAX_NAMES:
            break
    return found[:MAX_NAMES]


def _leaves(field: pa.Field, prefix: str) -> list[str]:
    name = f"{prefix}{field.name}"
    if not pa.types.is_struct(field.type) or prefix.count(".") >= 2 or not field.type.num_fields:
        return [name[:MAX_CHARS]]
    return [leaf for inner in list(field.type)[:MAX_NAMES] for leaf in _leaves(inner, f"{name}.")]


def no_text_field(fault: str, wanted: str, there: Iterable[str]) -> InputError:
    """The error for input without the field of the text: what there is, and the nearest of it."""
    names = [name for name in there if name != wanted]
    near = difflib.get_close_matches(wanted, names, n=1)
    meant = near or [name for usual in USUAL for name in names if name.rpartition(".")[2] == usual][:1]
    hint = f"; did you mean `{meant[0]}`?" if meant else ""
    listed = ", ".join(names) + (", ..." if len(names) >= MAX_NAMES else "") if names else "none"
    message = f"{fault}; the fields there are: {listed}; name that of the text by `text_field`{hint}"
    return InputError(message, field="text_field")


def partitions(name: str) -> Mapping[str, str]:
    """The fields that the folders of a file name: ``lang=en/source=web/0.parquet`` has two."""
    return _of_folders(name.rpartition("/")[0])


@functools.lru_cache  # files share folders
def _of_folders(path: str) -> Mapping[str, str]:
    pairs = (PARTITION.fullmatch(folder) for folder in path.split("/"))
    found = {pair[1]: unquote(pair[2]) for pair in pairs if pair is not None}
    return {key: value for key, value in found.items() if value != HIVE_NULL}


def lifted(batch: pa.RecordBatch, names: Iterable[str]) -> pa.RecordBatch:
    """The batch with nested columns of some names beside the others, and no longer in their structs."""
    for name in names:
        if name in batch.schema.names:
            continue
        for first, rest in _cuts(name):
            at = batch.schema.get_field_index(first)
            if at < 0 or (path := _path(batch.schema.field(at).type, rest)) is None:
                continue
            struct = batch.column(at)
            batch = batch.append_column(name, pc.struct_field(struct, path))
            remaining = _without(struct, path)
            batch = batch.remove_column(at) if remaining is None else batch.set_column(at, first, remaining)
            break
    return batch


def type_of(schema: pa.Schema, name: str) -> pa.DataType | None:
    """The type of a column, nested by dots or not; None where there is none."""
    if name in schema.names:
        return schema.field(name).type
    for first, rest in _cuts(name):
        at = schema.get_field_index(first)
        if at >= 0 and (path := _path(schema.field(at).type, rest)) is not None:
            kind = schema.field(at).type
            for key in path:
                kind = kind.field(kind.get_field_index(key)).type
            return kind
    return None


def _path(kind: pa.DataType, name: str) -> list[str] | None:
    """The keys that lead to a nested field."""
    if not pa.types.is_struct(kind):
        return None
    if kind.get_field_index(name) >= 0:
        return [name]
    for first, rest in _cuts(name):
        at = kind.get_field_index(first)
        if at >= 0 and (path := _path(kind.field(at).type, rest)) is not None:
            return [first, *path]
    return None


def _without(struct: pa.StructArray, path: list[str]) -> pa.StructArray | None:
    """A struct without one of its fields; None where nothing is left of it."""
    kept = {field.name: pc.struct_field(struct, [field.name]) for field in struct.type}
    inner = _without(kept[path[0]], path[1:]) if len(path) > 1 else None
    if inner is None:
        del kept[path[0]]
    else:
        kept[path[0]] = inner
    if not kept:
        return None
    return pa.StructArray.from_arrays(list(kept.values()), names=list(kept), mask=struct.is_null())
