"""Parquet, a piece a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from dq.executors import Step
from dq.store.files import replacing
from dq.variants.exported import Exported, shard_path

ROW_GROUP = 1024
"""Rows of a group: trainers that share a file out take one each, group by group."""


def write_parquet(exported: Exported, folder: Path, step: Step) -> None:
    """``00000.parquet`` and so on, of the columns of `Exported.table`."""
    write_shards(exported, folder, step)


def write_shards(exported: Exported, folder: Path, step: Step, *, columns: list[str] | None = None) -> int:
    """The same, of some columns; how many files."""
    number = -1
    for number, (first, end) in enumerate(exported.shards()):
        path = shard_path(folder, number, ".parquet")
        if path.exists():
            step.advance(int(exported.bounds[end] - exported.bounds[first]))
            continue
        write_groups(path, _tables(exported, first, end, step=step, columns=columns))
    return number + 1


def _tables(
    exported: Exported, first: int, end: int, *, step: Step, columns: list[str] | None
) -> Iterator[pl.DataFrame]:
    for chunk in exported.chunks(first, end):
        table = exported.table(chunk)
        yield table.select(columns or table.columns)
        step.advance(len(chunk.tokens))


def write_groups(path: Path, tables: Iterable[pl.DataFrame]) -> None:
    """One file of at least one table, in groups of rows."""
    with replacing(path) as temporary:
        writer = None
        for table in tables:
            arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or pq.ParquetWriter(temporary, arrow.schema, compression="zstd")
            writer.write_table(arrow, row_group_size=ROW_GROUP)
        assert writer is not None, "a table"
        writer.close()
