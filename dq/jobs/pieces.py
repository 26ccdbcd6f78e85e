"""Files to batches of documents for one-stage commands, streamed: pieces of the input, cut by the files alone.

A piece is a whole JSONL file, or a run of row groups of a Parquet file. Pieces are worked on in parallel; what they
hold depends on the files and nothing else. Parquet columns stay Arrow from end to end: a row becomes a Python object
only where it is at fault. Memory is bounded by the batch, and by the largest Parquet row group.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.corpus.config import InputSpec
from dq.corpus.documents import Document, Origin, document_of
from dq.corpus.rows import FIRST_BYTES, BadRow, read_rows
from dq.errors import ConfigError, InputError

__all__ = ["DOCUMENT_SCHEMA", "Batch", "Fields", "Piece", "read_piece", "split_inputs"]

PIECE_BYTES = 64 << 20  # of a Parquet file, uncompressed: enough to pay for a task
BATCH_BYTES = 8 << 20
BATCH_ROWS = 16_384
FOLDER_PATTERNS = ("*.parquet", "*.jsonl", "*.jsonl.gz", "*.jsonl.zst", "*.ndjson", "*.ndjson.gz", "*.ndjson.zst")
QUARANTINE = "quarantined.jsonl"

DERIVED = {"content_key", "n_bytes"}  # columns of dq's own corpus that the text gives again

Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

DOCUMENT_SCHEMA = pa.schema([(name, pa.large_string()) for name in ("id", "source", "text", "meta")])


@dataclass(frozen=True)
class Fields:
    """Where a row keeps its text, id and source, and how long a text may be (bytes of UTF-8)."""

    text: str = "text"
    id: str = "id"
    source: str = "source"
    max_document_bytes: int = 64_000_000


@dataclass(frozen=True)
class Piece:
    """A part of the input: a file, or the row groups ``first_group`` to ``end_group`` of a Parquet file."""

    path: Path
    first_row: int = 0
    first_group: int = 0
    end_group: int | None = None


@dataclass(frozen=True)
class Batch:
    """Documents (columns of DOCUMENT_SCHEMA, no nulls) and the unreadable rows among them."""

    documents: pa.Table
    bad: tuple[BadRow, ...] = ()
    replaced_surrogates: int = 0


def split_inputs(inputs: Sequence[str]) -> list[Piece]:
    """The pieces of files, patterns and folders, in the order given, sorted within a pattern or folder.

    Raises:
        InputError: a pattern matches nothing, or a Parquet file cannot be read.
    """
    files = dict.fromkeys(path for entry in inputs for path in _files(entry))
    return [piece for path in files for piece in _pieces(path)]


def _files(entry: str) -> list[Path]:
    if Path(entry).is_dir():
        files = sorted(path for pattern in FOLDER_PATTERNS for path in Path(entry).glob(pattern))
        files = [path for path in files if path.name != QUARANTINE and not path.name.startswith(".")]
    elif os.path.lexists(entry):
        files = [Path(entry)]
    else:
        files = sorted(path for path in map(Path, glob.glob(entry, recursive=True)) if path.is_file())  # noqa: PTH207
    if not files:
        raise InputError(f"{entry}: no such file, and no .parquet or .jsonl in it; check the path")
    return files


def _pieces(path: Path) -> list[Piece]:
    if not path.name.endswith(".parquet"):
        return [Piece(path)]
    with _open(path) as file:
        metadata = file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    cuts, held = [0], 0
    for number, group in enumerate(groups):
        if held and held + group.total_byte_size > PIECE_BYTES:
            cuts.append(number)
            held = 0
        held += group.total_byte_size
    cuts.append(len(groups))
    rows = list(itertools.accumulate((group.num_rows for group in groups), initial=0))
    return [Piece(path, rows[first], first, end) for first, end in itertools.pairwise(cuts)]


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=1 << 20)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
    return InputError(f"{path}: cannot be read: {reason}; replace the file, or leave it out")


def read_piece(piece: Piece, fields: Fields) -> Iterator[Batch]:
    """The documents of a piece, in order, in batches of about 8 MB.

    Raises:
        InputError: the file cannot be read, or a Parquet file has no column of texts.
    """
    if piece.path.name.endswith(".parquet"):
        yield from _parquet_batches(piece, fields)
    else:
        yield from _row_batches(piece, fields)


def _row_batches(piece: Piece, fields: Fields) -> Iterator[Batch]:
    spec = InputSpec(path=str(piece.path), text_field=fields.text, id_field=fields.id, source_field=fields.source)
    origin = Origin(piece.path.as_posix(), _stem(piece.path), spec)
    documents: list[Document] = []
    bad: list[BadRow] = []
    held = replaced = 0
    for row in read_rows(piece.path, max_document_bytes=fields.max_document_bytes):
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        found = document_of(row, origin, max_document_bytes=fields.max_document_bytes)
        if isinstance(found, BadRow):
            bad.append(found)
            continue
        replaced += row.replaced_surrogates
        documents.append(found)
        held += found.n_bytes
        if held >= BATCH_BYTES or len(documents) + len(bad) >= BATCH_ROWS:
            yield Batch(_table(documents), tuple(bad), replaced)
            documents, bad, held, replaced = [], [], 0, 0
    yield Batch(_table(documents), tuple(bad), replaced)


def _table(documents: list[Document]) -> pa.Table:
    columns = [[getattr(document, name) for document in documents] for name in DOCUMENT_SCHEMA.names]
    return pa.Table.from_arrays([pa.array(column, pa.large_string()) for column in columns], schema=DOCUMENT_SCHEMA)


def _parquet_batches(piece: Piece, fields: Fields) -> Iterator[Batch]:
    name, row = piece.path.as_posix(), piece.first_row
    with _open(piece.path) as file:
        _check_columns(file, piece.path, fields)
        groups = list(range(piece.first_group, file.num_row_groups if piece.end_group is None else piece.end_group))
        if not groups:
            yield Batch(DOCUMENT_SCHEMA.empty_table())
        batches = file.iter_batches(batch_size=_batch_rows(file, groups), row_groups=groups, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(piece.path, error) from None
            if batch is None:
                return
            rows = np.arange(row + 1, row + 1 + len(batch))
            row += len(batch)
            yield _batch(batch, rows, fields, name=name, source=_stem(piece.path))


def _batch(batch: pa.RecordBatch, rows: Rows, fields: Fields, *, name: str, source: str) -> Batch:
    """A batch of Parquet rows (numbered from 1 in their file) without its faults."""
    faults = _faults(batch, fields)
    bad = [BadRow(int(rows[at]), reason, _first_bytes(batch, fields, at)) for at, reason in sorted(faults.items())]
    if faults:
        good = np.ones(len(batch), bool)
        good[list(faults)] = False
        batch, rows = batch.filter(pa.array(good)), rows[good]
    columns = [
        _ids(batch, fields, name=name, rows=rows),
        _sources(batch, fields, source),
        batch.column(fields.text).cast(pa.large_string()),
        _meta(batch, fields),
    ]
    return Batch(pa.Table.from_arrays(columns, schema=DOCUMENT_SCHEMA), tuple(bad))


def _check_columns(file: pq.ParquetFile, path: Path, fields: Fields) -> None:
    schema = file.schema_arrow
    if schema.names.count(fields.text) != 1:
        raise InputError(f"{path}: no column `{fields.text}`; there are {', '.join(schema.names)}: see --text-field")
    if not _is_text(schema.field(fields.text).type):
        raise InputError(f"{path}: column `{fields.text}` holds {schema.field(fields.text).type}, not text")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _batch_rows(file: pq.ParquetFile, groups: list[int]) -> int:
    """Rows that make about BATCH_BYTES, by the file's own metadata."""
    rows = sum(file.metadata.row_group(number).num_rows for number in groups)
    held = sum(file.metadata.row_group(number).total_byte_size for number in groups)
    return max(1, min(BATCH_ROWS, int(rows * BATCH_BYTES // max(1, held))))


def _faults(batch: pa.RecordBatch, fields: Fields) -> dict[int, str]:
    """What is wrong with which rows. Arrow's readers check no UTF-8: the whole batch is checked, then rows alone."""
    faults: dict[int, str] = {}
    if not _is_valid(batch):
        faults = {at: "invalid_utf8" for at in range(len(batch)) if not _is_valid(batch.slice(at, 1))}
    text = batch.column(fields.text)
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    length = pc.binary_length(text.cast(pa.large_binary()))
    for at in pc.indices_nonzero(pc.greater(length, fields.max_document_bytes)).to_pylist():
        faults[at] = "text_too_large"
    for at in pc.indices_nonzero(text.is_null()).to_pylist():
        faults[at] = "text_missing"
    return faults


def _is_valid(batch: pa.RecordBatch) -> bool:
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _first_bytes(batch: pa.RecordBatch, fields: Fields, at: int) -> bytes:
    value = batch.column(fields.text).slice(at, 1).cast(pa.large_binary())[0].as_py()
    return (value or b"")[:FIRST_BYTES]


def _ids(batch: pa.RecordBatch, fields: Fields, *, name: str, rows: Rows) -> pa.Array:
    """Given ids as text; where there is none, file and row."""
    given = pa.nulls(len(batch), pa.large_string())
    if fields.id in batch.schema.names:
        try:
            given = batch.column(fields.id).cast(pa.large_string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            kind = batch.schema.field(fields.id).type
            raise ConfigError(f"{name}: column `{fields.id}` holds {kind}, not ids; rename it") from None
    missing = pc.fill_null(pc.equal(given, ""), True)
    if not pc.any(missing).as_py():
        return given
    made = pa.array([f"{name}:{row}" for row in rows.tolist()], pa.large_string())
    return pc.if_else(missing, made, given)


def _sources(batch: pa.RecordBatch, fields: Fields, source: str) -> pa.Array:
    """Given sources; where there is none, the file's name without its endings."""
    fallback = pa.scalar(source, pa.large_string())
    if fields.source not in batch.schema.names or not _is_text(batch.schema.field(fields.source).type):
        return pa.repeat(fallback, len(batch))
    given = batch.column(fields.source).cast(pa.large_string())
    return pc.if_else(pc.fill_null(pc.equal(given, ""), True), fallback, given)


def _meta(batch: pa.RecordBatch, fields: Fields) -> pa.Array:
    """All other columns as JSON text; a column `meta` of text alone is such text already."""
    others = [name for name in batch.schema.names if name not in (fields.text, fields.id, fields.source)]
    if not others or not len(batch):
        return pa.repeat(pa.scalar("{}", pa.large_string()), len(batch))
    if set(others) - DERIVED == {"meta"} and _is_text(batch.schema.field("meta").type):
        return pc.fill_null(batch.column("meta").cast(pa.large_string()), "{}")
    frame = pl.DataFrame(batch.select(others))
    if not any("binary" in str(batch.schema.field(name).type) for name in others):  # polars panics on those
        with contextlib.suppress(pl.exceptions.PolarsError, pa.ArrowException):  # another type it writes no JSON for
            encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
            return encoded.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    rows = [orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode() for row in frame.to_dicts()]
    return pa.array(rows, pa.large_string())


def _stem(path: Path) -> str:
    return path.name.partition(".")[0] or path.name
