"""The finished corpus of a text version: Parquet shards of documents, and one table of what identifies them.

Global document numbers run through the shards in order. They are positions in tables, nothing more: order decides
nothing, ties and draws go by content key, source and id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.errors import WorkspaceError
from dq.store import read_parquet, read_record


class Corpus:
    """Reads ``corpus/<version>/``; the record must be there.

    Shard columns: id, source, text, meta (JSON text), content_key (uint64: xxh64 of the text as read).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_record(folder)
        self.shards = sorted(folder.glob("[0-9]*.parquet"))

    @property
    def version(self) -> str:
        """The text version: the folder's name."""
        return self.folder.name

    @cached_property
    def documents(self) -> pl.DataFrame:
        """One row a document in global order: id, source, content_key u64, occurrence u32, n_bytes i64, shard u32.

        ``occurrence`` numbers documents of one source with one content key, by id.
        """
        frames = [
            read_parquet(path, columns=["id", "source", "content_key", "n_bytes"]).with_columns(
                pl.lit(number, pl.UInt32).alias("shard")
            )
            for number, path in enumerate(self.shards)
        ]
        if not frames:
            raise WorkspaceError(f"{self.folder}: no documents; give the job an `input:` with some")
        documents = pl.concat(frames)
        return documents.with_columns(pl.Series("occurrence", _occurrences(documents)))

    @property
    def first_documents(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The number of the first document of each shard."""
        return np.searchsorted(self.documents["shard"].to_numpy(), np.arange(len(self.shards), dtype=np.uint32))

    def texts(self, shard: int) -> pa.ChunkedArray:
        """The texts of a shard as an Arrow string array."""
        return self._column(shard, "text")

    def metas(self, shard: int) -> pa.ChunkedArray:
        """The other fields of a shard's documents, as JSON."""
        return self._column(shard, "meta")

    def _column(self, shard: int, name: str) -> pa.ChunkedArray:
        return read_column(self.shards[shard], name)

    def text_of(self, document: int) -> str:
        """The text of one document by its global number."""
        return self.texts_of([document])[0]

    def texts_of(self, documents: Sequence[int]) -> list[str]:
        """The texts of documents by their global numbers; each shard is read once."""
        return self._of(documents, self.texts)

    def meta_of(self, document: int) -> str:
        """The other fields of one document, as JSON."""
        return self._of([document], self.metas)[0]

    def _of(self, documents: Sequence[int], column: Callable[[int], pa.ChunkedArray]) -> list[str]:
        shards = self.documents["shard"].to_numpy()
        found: dict[int, str] = {}
        for shard, numbers in itertools.groupby(sorted(set(documents)), key=shards.__getitem__):
            values, first = column(int(shard)), int(np.searchsorted(shards, shard))
            found |= {number: values[number - first].as_py() for number in numbers}
        return [found[number] for number in documents]


def _occurrences(documents: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The number of each document among those of its source and content key, by id.

    Most have no other: only those whose key occurs twice are grouped, which takes a quarter of the memory.
    """
    keys = documents["content_key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    as_before = np.append(False, keys[order[1:]] == keys[order[:-1]])
    rows = np.sort(order[as_before | np.append(as_before[1:], False)])
    numbers = np.zeros(len(documents), np.uint32)
    occurrence = pl.col("id").rank("ordinal").over("source", "content_key").cast(pl.UInt32) - 1
    numbers[rows] = documents[rows].select(occurrence).to_series().to_numpy()
    return numbers


def read_column(path: Path, name: str) -> pa.ChunkedArray:
    """A column of a shard."""
    with pq.ParquetFile(path) as file:  # pq.read_table would load pandas
        return file.read(columns=[name]).column(name)
