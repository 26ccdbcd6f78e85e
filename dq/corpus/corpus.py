"""The finished corpus of a text version: Parquet shards of documents, and one table of what identifies them.

Global document numbers run through the shards in order. They are positions in tables, nothing more: order decides
nothing, ties and draws go by content key, source and id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arrays import I64, U32, U64, Array, between_groups, by_runs, distinct, offsets_of
from dq.errors import WorkspaceError
from dq.store import read_parquet, read_record

NUMBERED_AT_A_TIME = 1 << 18  # documents
IDENTITY = ["id", "source", "content_key", "n_bytes"]


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
    def sizes(self) -> I64:
        """The documents of each shard: int64 (shards,)."""
        if not self.shards:
            raise WorkspaceError(f"{self.folder}: no documents; give the job an `input:` with some")
        return np.array([pq.read_metadata(path).num_rows for path in self.shards], np.int64)

    @property
    def count(self) -> int:
        """How many documents there are."""
        return int(self.sizes.sum())

    @property
    def first_documents(self) -> I64:
        """The number of the first document of each shard, and of all of them: int64 (shards + 1,)."""
        return offsets_of(self.sizes)

    @cached_property
    def documents(self) -> pl.DataFrame:
        """One row a document in global order: id, source, content_key u64, occurrence u32, n_bytes i64, shard u32.

        Some 120 bytes a document: what looks at all documents of a large corpus looks at one shard after another.
        """
        frames = [
            self.of_shard(shard, IDENTITY).with_columns(pl.lit(shard, pl.UInt32).alias("shard"))
            for shard in range(len(self.sizes))
        ]
        return pl.concat(frames).with_columns(pl.Series("occurrence", self.occurrences))

    @cached_property
    def sources(self) -> list[str]:
        """The names of all sources, sorted."""
        each = (self.of_shard(shard, ["source"])["source"].unique() for shard in range(len(self.sizes)))
        return pl.concat(each).unique().sort().to_list()

    @cached_property
    def occurrences(self) -> U32:
        """The number of each document among those of its source and content key, by id: uint32 (documents,)."""
        return occurrences(self.column("content_key"), lambda rows: self.rows(rows, ["id", "source", "content_key"]))

    def of_shard(self, shard: int, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of a shard, as `documents` names them."""
        return read_parquet(self.shards[shard], columns=columns)

    def column(self, name: str) -> Array:
        """A column of numbers, of all documents."""
        return np.concatenate([self.of_shard(shard, [name])[name].to_numpy() for shard in range(len(self.sizes))])

    def hashes(self, columns: Sequence[str]) -> U64:
        """Of these columns of all documents: uint64 (documents,), equal for equal values."""
        return np.concatenate([self.of_shard(one, columns).hash_rows().to_numpy() for one in range(len(self.sizes))])

    def rows(self, documents: I64, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of the documents with these global numbers, ascending; shards are read one after another."""
        # By Arrow, for rows of polars hold on to the text of their whole shard.
        tables = [self.of_shard(shard, columns)[within].to_arrow() for shard, within in self.by_shard(documents)]
        return cast(
            "pl.DataFrame", pl.from_arrow(pa.concat_tables([self.of_shard(0, columns).clear().to_arrow(), *tables]))
        )

    def by_shard(self, documents: I64) -> Iterator[tuple[int, I64]]:
        """For each shard that holds some of the documents (ascending global numbers) which rows of it they are."""
        return by_runs(documents, self.first_documents)

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
        numbers, place = np.unique(np.asarray(documents, np.int64), return_inverse=True)
        found: list[str] = []
        for shard, rows in self.by_shard(numbers):
            found += column(shard).take(pa.array(rows)).to_pylist()
        return [found[at] for at in place]


def occurrences(keys: U64, rows: Callable[[I64], pl.DataFrame]) -> U32:
    """The number of each document among those of its source and content key, by id.

    Args:
        keys: content keys.
        rows: gives id, source and content_key of documents by their ascending numbers.
    """
    number = pl.col("id").rank("ordinal").over("source", "content_key").cast(pl.UInt32) - 1
    return numbered(keys, rows, number)


def numbered(keys: U64, rows: Callable[[I64], pl.DataFrame], number: pl.Expr) -> U32:
    """A number of each document among those with its key, 0 where there is no other.

    Most have no other: only documents whose key occurs twice are asked for, and some at a time are grouped.

    Args:
        keys: equal where documents may be of one group.
        rows: gives the columns of ``number`` of documents by their ascending numbers.
        number: over such documents.
    """
    numbers, twice = np.zeros(len(keys), np.uint32), repeated(keys)
    if len(twice):
        some = np.flatnonzero(twice[np.searchsorted(twice[:-1], keys)] == keys)
        documents, order = rows(some), np.argsort(keys[some], kind="stable")
        ordered = keys[some[order]]
        begins = np.append(True, ordered[1:] != ordered[:-1])
        for part in np.split(order, between_groups(begins, NUMBERED_AT_A_TIME)):
            numbers[some[part]] = documents[part].select(number).to_series().to_numpy()
    return numbers


def repeated(keys: U64) -> U64:
    """The keys that occur twice or more, ascending."""
    ordered = np.sort(keys)
    return distinct(ordered[1:][ordered[1:] == ordered[:-1]])


def read_column(path: Path, name: str) -> pa.ChunkedArray:
    """A column of a shard."""
    with pq.ParquetFile(path) as file:  # pq.read_table would load pandas
        return file.read(columns=[name]).column(name)
