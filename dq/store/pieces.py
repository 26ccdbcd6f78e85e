"""Tables that go from many tasks to many others: a task writes one file, of which each of the others reads its piece.

A file of Arrow, not compressed, with one record batch for each reader: none reads more than its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from dq.store.files import replacing


def write_pieces(path: Path, frame: pl.DataFrame, cuts: Iterable[int]) -> None:
    """Write a table; ``cuts`` are where pieces begin, and where the last one ends."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns: list[Any] = [column.combine_chunks() for column in table.columns]
    batch = pa.RecordBatch.from_arrays(columns, schema=table.schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, pa.ipc.new_file(temporary, table.schema) as file:
        for begin, end in pairwise(cuts):
            file.write_batch(batch.slice(begin, end - begin))


def read_pieces(paths: Iterable[Path], number: int) -> pl.DataFrame:
    """The pieces of this number of files with the same columns, one after another."""
    return pl.concat([_piece(path, number) for path in paths], rechunk=True)


def _piece(path: Path, number: int) -> pl.DataFrame:
    with pa.OSFile(str(path)) as source:
        return cast("pl.DataFrame", pl.from_arrow(pa.ipc.open_file(source).get_batch(number)))
