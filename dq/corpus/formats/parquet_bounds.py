"""How many rows of a Parquet file may be decoded at a time: a kilobyte of it can stand for gigabytes of text.

A value of a dictionary is stored once, however many rows have it, so the bytes that metadata tells say nothing of the
decoded ones; what does is the size of the dictionary, which no value of it exceeds. So many rows are read at a time as
fit a bound even where each has the largest value there could be. Lists hold more values than there are rows: where
that could matter their lengths are looked up, without the values.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.errors import InputError

MAX_COLUMNS = 10_000  # leaves: each takes part in every row's metadata
MAX_BATCH_BYTES = 256 << 20  # decoded, of what dictionaries and shared beginnings can expand to
MAX_ROW_BYTES = 1 << 30  # decoded, of the lists of a row
NUMBER_BYTES = 8
MAX_NUMBER_BYTES = 16  # of values of fixed length: those of half precision and decimals are stored so
HEADER_BYTES = 64
NAMES = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")


def check_width(file: pq.ParquetFile, name: str) -> None:
    """Refuse a file of too many columns, by its metadata alone.

    Raises:
        InputError: how many there are.
    """
    if file.metadata.num_columns > MAX_COLUMNS:
        raise InputError(
            f"{name}: {file.metadata.num_columns:,} columns, more than {MAX_COLUMNS:,}; write the text, the id and "
            "what else is needed to a file of their own"
        )


def bounded_rows(stored: pa.NativeFile, file: pq.ParquetFile, groups: list[int], *, name: str) -> int:
    """The most rows that may be decoded at a time.

    Args:
        stored: the bytes of the file.
        file: the same, opened.
        groups: numbers of the row groups that are read.
        name: of the file.

    Raises:
        InputError: a single row may not.
    """
    bounds = [MAX_BATCH_BYTES]
    for number in groups:
        group, row_bytes = file.metadata.row_group(number), 0
        for at in range(group.num_columns):
            column = group.column(at)
            width = value = _largest_value(stored, column, file.schema.column(at))
            if file.schema.column(at).max_repetition_level:
                width *= -(-column.num_values // max(1, group.num_rows))  # on average; a row may have them all
                if width and column.num_values * value > MAX_BATCH_BYTES:
                    width = _largest_row(stored, number, column)
                if max(width, NUMBER_BYTES * column.num_values // max(1, group.num_rows)) > MAX_ROW_BYTES:
                    raise InputError(
                        f"{name}: a row of column `{column.path_in_schema}` decodes to more than "
                        f"{MAX_ROW_BYTES >> 30} GB; leave the column out"
                    )
            row_bytes += width
        bounds.append(MAX_BATCH_BYTES // max(1, row_bytes))
    return max(1, min(bounds))


def _largest_value(stored: pa.NativeFile, column: pq.ColumnChunkMetaData, kind: pq.ColumnSchema) -> int:
    """Bytes that no value of a column chunk exceeds; 0 where values take about what metadata tells."""
    if column.physical_type not in NAMES or 0 < (kind.length or 0) <= MAX_NUMBER_BYTES:
        return 0
    if "DELTA_BYTE_ARRAY" in column.encodings:  # each value begins as the one before it does
        return int(column.total_uncompressed_size)
    if not column.has_dictionary_page or column.dictionary_page_offset is None:
        return 0
    stored.seek(column.dictionary_page_offset)
    return _page_bytes(stored.read(HEADER_BYTES)) or int(column.total_uncompressed_size)


def _page_bytes(header: bytes) -> int | None:
    """Uncompressed bytes of a page: the second field (i32) of its header, in Thrift's compact protocol."""
    at, values = 0, []
    for _ in range(2):
        if header[at : at + 1] != b"\x15":  # the next field, an i32
            return None
        value = shift = 0
        at += 1
        while at < len(header):
            value |= (header[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if header[at - 1] < 0x80:
                break
        values.append((value >> 1) ^ -(value & 1))
    return values[1] if values[1] > 0 else None


def _largest_row(stored: pa.NativeFile, group: int, column: pq.ColumnChunkMetaData) -> int:
    """Bytes of the longest row of a list column, whose values are read as numbers of a dictionary's entries."""
    path, largest = column.path_in_schema, 0
    file = pq.ParquetFile(stored, read_dictionary=[path])
    for batch in file.iter_batches(batch_size=1024, row_groups=[group], columns=[path], use_threads=False):
        values, rows = batch.column(0), np.arange(len(batch))
        while not pa.types.is_dictionary(values.type):
            if pa.types.is_struct(values.type):
                values = values.field(0)
            elif pa.types.is_map(values.type):
                return int(column.num_values * column.total_uncompressed_size)
            else:
                rows, values = rows[pl.Series(pc.list_parent_indices(values)).to_numpy()], pc.list_flatten(values)
        lengths = pc.binary_length(values.dictionary).cast(pa.int64()).take(values.indices).fill_null(0)
        sums = np.bincount(rows, weights=pl.Series(lengths).to_numpy(), minlength=1)
        largest = max(largest, int(sums.max()))
    return largest
