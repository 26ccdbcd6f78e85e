"""Outputs with a row a document: one Parquet file a shard, so that any number of documents is worked on by shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import Array
from dq.stages.base import Output
from dq.store import read_parquet


class ByShard(Output):
    """Rows of all documents, in the corpus's order."""

    @cached_property
    def files(self) -> list[Path]:
        """One a shard."""
        return sorted(self.folder.glob("[0-9]*.parquet"))

    def table(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Some columns of all documents; default: every column."""
        return pl.concat(self.shards(columns))

    def shards(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The same, one shard after another."""
        return (read_parquet(path, columns=columns) for path in self.files)

    def of_shard(self, shard: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The same of one shard."""
        return read_parquet(self.files[shard], columns=columns)

    def column(self, name: str) -> Array:
        """A column without nulls of all documents, as an array."""
        return np.concatenate([frame[name].to_numpy() for frame in self.shards([name])])


def shard_file(folder: Path, shard: int) -> Path:
    """Where the rows of a shard are."""
    return folder / f"{shard:05d}.parquet"
