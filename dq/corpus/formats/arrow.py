"""Arrow IPC: streams, as `datasets` keeps them, and files, as polars, pandas (Feather) and R write them.

What the batches of a file hold is added up before any of them is decoded, and of texts that are stored once and stand
in many rows no more rows are taken at a time than would fit if each had the longest.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dq.corpus.batches import BATCH_BYTES, BATCH_ROWS, Batch
from dq.corpus.documents import Origin
from dq.corpus.formats.base import ColumnFormat
from dq.corpus.formats.compression import seekable
from dq.corpus.formats.expansion import Expansion
from dq.corpus.formats.parquet_bounds import MAX_BATCH_BYTES, MAX_COLUMNS
from dq.corpus.formats.tables import check_columns, documents_of
from dq.corpus.places import File
from dq.errors import InputError

FILE_MAGIC, STREAM_MAGIC = b"ARROW1", b"\xff\xff\xff\xff"
DICTIONARIES, BATCHES = 2, 3  # fields of a footer, by File.fbs
BLOCK_WORDS = 3  # of eight bytes: offset, length of the metadata, length of the body
SHARED = ("dictionary", "view", "run_end_encoded")  # in the names of types whose values many rows may share
VIEWS = ("string_view", "binary_view")
TEXTS = ("string", "large_string", "binary", "large_binary", *VIEWS)
AS_BYTES = {"string": pa.binary(), "large_string": pa.large_binary(), "string_view": pa.binary_view()}
DICTIONARY_BATCH = 2  # by Message.fbs, as the places of fields below


class ArrowIpc(ColumnFormat[None]):
    """Record batches, one behind the other."""

    endings: ClassVar = (".arrow", ".feather", ".ipc")
    sample_ending: ClassVar = ".parquet"

    def batches(self, file: File, origin: Origin, *, max_document_bytes: int, part: None = None) -> Iterator[Batch]:
        """The documents of the file."""
        del part
        with seekable(file) as stored:
            is_file = stored.read(len(FILE_MAGIC)) == FILE_MAGIC
            expansion = Expansion(file.name, file.size)
            for message in _messages(stored, is_file=is_file):
                expansion.take(_decoded_bytes(memoryview(message.metadata), memoryview(message.body)))
            stored.seek(0)
            reader = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(stored)
            _check_types(reader.schema, file.name)
            check_columns(reader.schema, file.name, origin)
            row = 1
            for batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
                _check_places(batch)
                for piece in _pieces(batch):
                    rows = np.arange(row, row + len(piece))
                    row += len(piece)
                    yield documents_of(piece, rows, origin, max_document_bytes=max_document_bytes)


def _messages(stored: pa.NativeFile, *, is_file: bool) -> Iterator[pa.ipc.Message]:
    """All that is decoded of a file: its dictionaries and batches."""
    if not is_file:
        stored.seek(0)
        yield from (one for one in pa.ipc.MessageReader.open_stream(stored) if one.type != "schema")
        return
    try:
        offsets = _blocks(stored)
    except struct.error:
        raise pa.ArrowInvalid("a footer that is damaged") from None
    for offset in offsets:
        stored.seek(offset)
        yield pa.ipc.read_message(stored)


def _blocks(stored: pa.NativeFile) -> list[int]:
    """Where the messages of a file lie, by its footer (a flatbuffer)."""
    end = stored.seek(0, os.SEEK_END) - len(FILE_MAGIC) - 4
    stored.seek(max(0, end))
    length, mark = struct.unpack("<i6s", stored.read(10))
    if mark != FILE_MAGIC or not 0 < length < end:
        raise EOFError("the Arrow file ends before its end mark")
    stored.seek(end - length)
    footer = memoryview(stored.read(length))
    root, found = int(struct.unpack_from("<I", footer)[0]), list[int]()
    for field in (DICTIONARIES, BATCHES):
        if at := _field(footer, root, field):
            vector = _table(footer, at)
            count = struct.unpack_from("<I", footer, vector)[0]
            found += struct.unpack_from(f"<{BLOCK_WORDS * count}q", footer, vector + 4)[::BLOCK_WORDS]
    return found


def _decoded_bytes(metadata: memoryview, body: memoryview) -> int:
    """What the buffers of a batch hold, by its metadata (a flatbuffer) and the length before each compressed one."""
    try:
        root = struct.unpack_from("<I", metadata)[0]
        kind, table = _field(metadata, root, 1), _table(metadata, _field(metadata, root, 2))
        if kind and metadata[kind] == DICTIONARY_BATCH:
            table = _table(metadata, _field(metadata, table, 1))
        if not _field(metadata, table, 3):  # no compression
            return len(body)
        vector = _table(metadata, _field(metadata, table, 2))
        count = struct.unpack_from("<I", metadata, vector)[0]
        places = struct.unpack_from(f"<{2 * count}q", metadata, vector + 4)
        buffers = [at for at, length in zip(places[::2], places[1::2], strict=True) if length > 0]
        lengths = [int(struct.unpack_from("<q", body, at)[0]) for at in buffers]
    except (struct.error, IndexError):
        raise pa.ArrowInvalid("a record batch whose metadata is damaged") from None
    return len(body) + sum(max(0, length) for length in lengths)


def _table(data: memoryview, at: int) -> int:
    """What the offset at a place leads to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: memoryview, table: int, number: int) -> int:
    """Where a field of a table lies; 0 where it is left out."""
    entries = table - int(struct.unpack_from("<i", data, table)[0])
    size = int(struct.unpack_from("<H", data, entries)[0])
    offset = int(struct.unpack_from("<H", data, entries + 4 + 2 * number)[0]) if 4 + 2 * number < size else 0
    return table + offset if offset else 0


def _check_types(schema: pa.Schema, name: str) -> None:
    if len(schema) > MAX_COLUMNS:
        raise InputError(f"{name}: {len(schema):,} columns, more than {MAX_COLUMNS:,}; write those that are needed")
    for field in schema:
        try:
            column, kind = _names(field)[0], str(field.type)
        except UnicodeDecodeError:
            raise pa.ArrowInvalid("a column whose name is not UTF-8") from None
        value = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if any(part in kind for part in SHARED) and not (str(value) in TEXTS or pa.types.is_primitive(value)):
            raise InputError(f"{name}: column `{column}` holds {kind[:60]}, which dq does not read; leave it out")


def _names(field: pa.Field) -> list[str]:
    """The name of a field, and those of the fields in it."""
    kind = field.type
    inner = list(kind) if pa.types.is_struct(kind) else []
    inner += [getattr(kind, part) for part in ("value_field", "key_field", "item_field") if hasattr(kind, part)]
    return [field.name, *(name for one in inner for name in _names(one))]


def _check_places(batch: pa.RecordBatch) -> None:
    """Refuse a batch that says that values lie where none are: Arrow reads what is there, or ends the process.

    Text that is no UTF-8 is left to be found row by row.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for column in batch.columns:
            column.validate()
            _as_bytes(column).validate(full=True)


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _as_bytes(column.dictionary), safe=False)
    return column.view(AS_BYTES[str(column.type)]) if str(column.type) in AS_BYTES else column


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in runs of rows that fit."""
    if not len(batch):
        return
    each = sum(_largest_value(column) for column in batch.columns)
    size = max(1, min(BATCH_ROWS, len(batch) * BATCH_BYTES // max(1, batch.nbytes), MAX_BATCH_BYTES // max(1, each)))
    if len(batch) <= size:
        yield batch
        return
    for first in range(0, len(batch), size):
        piece = batch.slice(first, size)
        # Taken, where Arrow can: of a slice, all is checked that its buffers hold.
        columns = [one if str(one.type) in VIEWS else one.take(np.arange(len(one))) for one in piece.columns]
        yield pa.RecordBatch.from_arrays(columns, schema=piece.schema)


def _largest_value(column: pa.Array) -> int:
    """Bytes of the longest value that many rows may share; 0 where none is."""
    shared = pa.types.is_dictionary(column.type)
    values = column.dictionary if shared else column
    if not len(values) or str(values.type) not in (TEXTS if shared else VIEWS):
        return 0
    if str(values.type) not in VIEWS:
        return int(pc.max(pc.binary_length(values)).as_py() or 0)
    lengths = np.frombuffer(values.buffers()[1], "<i4")[::4]  # of a view: its length, then where it lies
    return int(lengths[values.offset : values.offset + len(values)].max())
