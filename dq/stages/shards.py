"""Shards of a corpus that is read: how large they may be, and how one is written."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dq.errors import InputError
from dq.store import write_table
from dq.text import content_keys

SHARD_TEXT_BYTES = 256_000_000
MAX_SHARDS = 100_000  # their names have five digits, and are sorted


def check_shards(count: int) -> None:
    """Refuse more shards than have names.

    Raises:
        InputError: there are too many.
    """
    if count > MAX_SHARDS:
        raise InputError(
            f"more than {MAX_SHARDS:,} shards: raise `read.shard_rows`, or cut the input into several jobs (a shard "
            f"holds {SHARD_TEXT_BYTES / 1e6:.0f} MB of text at most)",
            field="shard_rows",
        )


def with_sizes(documents: pa.Table) -> pa.Table:
    """Documents with the bytes of their texts as the column ``n_bytes``."""
    return documents.append_column("n_bytes", pc.binary_length(documents.column("text")).cast(pa.int64()))


def write_shard(folder: Path, number: int, documents: pa.Table) -> None:
    """Write a shard of documents with their sizes, and the content keys of their texts."""
    table = documents.combine_chunks()
    keys = pl.Series(content_keys(table.column("text"))).to_arrow()
    table = table.add_column(table.num_columns - 1, "content_key", keys)
    write_table(folder / f"{number:05d}.parquet", table, repeated=["source"], often_read=True)
