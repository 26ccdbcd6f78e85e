"""Parquet rows to batches of documents: columns stay Arrow, a row becomes a Python object only where it is at fault.

Memory is bounded by the batch and the largest row group.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.corpus.documents import BATCH_BYTES, BATCH_ROWS, DOCUMENT_SCHEMA, FIRST_BYTES, BadRow, Batch, Origin
from dq.corpus.formats.base import Format
from dq.corpus.places import File
from dq.errors import InputError
from dq.text import string_array

# Columns that dq's own files have beside a document: the corpus's, which the text gives again, and those of kept files.
DERIVED = ({"content_key", "n_bytes"}, {"cluster_size"})
NOT_IN_POLARS = ("decimal256", "extension", "list_view")  # parts of the names of types on which polars panics

Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Groups:
    """Row groups [first, end) of a file, whose first row (from 0) is ``row``."""

    first: int
    end: int
    row: int


class Parquet(Format[Groups]):
    """Columns, in row groups."""

    endings: ClassVar = (".parquet",)
    sample_ending: ClassVar = ".parquet"

    def batches(
        self, file: File, origin: Origin, *, max_document_bytes: int, part: Groups | None = None
    ) -> Iterator[Batch]:
        """The documents of the file, or of some of its row groups."""
        with _opened(file) as table:
            _check_columns(table, file.name, origin)
            chosen = part or Groups(0, table.num_row_groups, 0)
            numbers = list(range(chosen.first, chosen.end))
            row = chosen.row
            if not numbers:
                return
            size = _batch_rows(table, numbers)
            for batch in table.iter_batches(batch_size=size, row_groups=numbers, use_threads=False):
                rows = np.arange(row + 1, row + 1 + len(batch))
                row += len(batch)
                yield _batch(_plain(batch, origin), rows, origin, max_document_bytes=max_document_bytes)

    def cut(self, file: File, *, max_bytes: int) -> list[Groups | None]:
        """Runs of row groups of at most ``max_bytes`` uncompressed, one group at least."""
        with _opened(file) as table:
            groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
        cuts, held = [0], 0
        for number, group in enumerate(groups):
            if held and held + group.total_byte_size > max_bytes:
                cuts.append(number)
                held = 0
            held += group.total_byte_size
        rows = list(itertools.accumulate((group.num_rows for group in groups), initial=0))
        return [Groups(first, end, rows[first]) for first, end in itertools.pairwise([*cuts, len(groups)])]

    def count_rows(self, file: File) -> int:
        """Its rows, by its own metadata."""
        with _opened(file) as table:
            return int(table.metadata.num_rows)


@contextlib.contextmanager
def _opened(file: File) -> Iterator[pq.ParquetFile]:
    with file.open() as stored, pq.ParquetFile(stored, buffer_size=1 << 20) as table:
        yield table


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


def _batch(batch: pa.RecordBatch, rows: Rows, origin: Origin, *, max_document_bytes: int) -> Batch:
    """A batch of Parquet rows (numbered from 1 in their file) without its faults."""
    faults = _faults(batch, origin.spec.text_field, max_document_bytes)
    bad = [BadRow(int(rows[at]), reason, first) for at, (reason, first) in sorted(faults.items())]
    if faults:
        good = np.ones(len(batch), bool)
        good[list(faults)] = False
        batch, rows = batch.filter(pl.Series(good).to_arrow()), rows[good]
    columns = [
        _ids(batch, rows, origin),
        _sources(batch, origin),
        batch.column(origin.spec.text_field).cast(pa.large_string()),
        _meta(batch, origin),
    ]
    return Batch(pa.Table.from_arrays(columns, schema=DOCUMENT_SCHEMA), tuple(bad))


def _check_columns(file: pq.ParquetFile, name: str, origin: Origin) -> None:
    schema, text, identity = file.schema_arrow, origin.spec.text_field, origin.spec.id_field
    if twice := {name for name in schema.names if schema.names.count(name) > 1}:
        raise InputError(f"{name}: two columns are named `{min(twice)}`; rename one")
    if text not in schema.names:
        raise InputError(f"{name}: no column `{text}`; there are {', '.join(schema.names)}; name the text field")
    if not _is_text(schema.field(text).type):
        raise InputError(f"{name}: column `{text}` holds {schema.field(text).type}, not text; name the text field")
    if identity in schema.names and pa.types.is_nested(schema.field(identity).type):
        raise InputError(f"{name}: column `{identity}` holds {schema.field(identity).type}, not ids; name the id field")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _batch_rows(file: pq.ParquetFile, groups: list[int]) -> int:
    """Rows that make about BATCH_BYTES, by the file's own metadata."""
    rows = sum(file.metadata.row_group(number).num_rows for number in groups)
    held = sum(file.metadata.row_group(number).total_byte_size for number in groups)
    return max(1, min(BATCH_ROWS, int(rows * BATCH_BYTES // max(1, held))))


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


def _ids(batch: pa.RecordBatch, rows: Rows, origin: Origin) -> pa.Array:
    """Given ids as text; where there is none, file and row."""
    given = pa.nulls(len(batch), pa.large_string())
    if origin.spec.id_field in batch.schema.names:
        given = batch.column(origin.spec.id_field).cast(pa.large_string())
    missing = pc.fill_null(pc.equal(given, ""), True)
    if not pc.any(missing).as_py():
        return given
    made = string_array(f"{origin.name}:{row}" for row in rows.tolist())
    return pc.if_else(missing, made, given)


def _sources(batch: pa.RecordBatch, origin: Origin) -> pa.Array:
    """The input's source, else given ones; where there is none, the file's name without its endings."""
    field, fallback = origin.spec.source_field, pa.scalar(origin.spec.source or origin.source, pa.large_string())
    given = field in batch.schema.names and _is_text(batch.schema.field(field).type)
    if origin.spec.source or not given:
        return pa.repeat(fallback, len(batch))
    sources = batch.column(field).cast(pa.large_string())
    return pc.if_else(pc.fill_null(pc.equal(sources, ""), True), fallback, sources)


def _meta(batch: pa.RecordBatch, origin: Origin) -> pa.Array:
    """All other columns as JSON text; a column `meta` of text alone is such text already."""
    spec = origin.spec
    others = [name for name in batch.schema.names if name not in (spec.text_field, spec.id_field, spec.source_field)]
    if not others or not len(batch):
        return pa.repeat(pa.scalar("{}", pa.large_string()), len(batch))
    if any(set(others) - own == {"meta"} for own in DERIVED) and _is_text(batch.schema.field("meta").type):
        return pc.fill_null(batch.column("meta").cast(pa.large_string()), "{}")
    kinds = {name: str(batch.schema.field(name).type) for name in others}
    if not any(part in kind for part in ("binary", *NOT_IN_POLARS) for kind in kinds.values()):
        frame = pl.DataFrame(batch.select(others))
        with contextlib.suppress(pl.exceptions.PolarsError, pa.ArrowException):  # another type it writes no JSON for
            encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
            return encoded.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    columns = [
        batch.column(name).to_pylist()
        if any(part in kind for part in NOT_IN_POLARS)
        else pl.Series(batch.column(name)).to_list()
        for name, kind in kinds.items()
    ]
    rows = (dict(zip(others, values, strict=True)) for values in zip(*columns, strict=True))
    texts = [orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode() for row in rows]
    return string_array(texts)
