"""Parts of a corpus that are selected from one by one: nothing in one of them decides about anything in another.

Copies belong to their first one, and pairs and large buckets link first copies, with documents of an index too. What
hangs together over any number of links is in one part, so that the largest such component may be more than memory was
meant for; all others are spread evenly by hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dq.arrays import I64, U16, Array, distinct
from dq.dedup.duplicates import LargeBuckets
from dq.dedup.find.runs import parts_for
from dq.store import read_parquet
from dq.text import mix64

COPIES_AT_A_TIME = 1 << 18
BYTES_A_DOCUMENT = 500  # of a part: what it is ranked by, its rank, and what selecting needs
BYTES_A_PAIR = 250
MOST_PARTS = 65_535  # their numbers are of 16 bits


@dataclass(frozen=True)
class Links:
    """What pairs and large buckets link."""

    documents: I64
    """int64, ascending: those with a link."""
    component: I64
    """int64 (documents,), equal for those that hang together."""
    pairs: int
    """How many."""

    @classmethod
    def of(cls, folder: Path) -> Links:
        """Those of the duplicates in a folder."""
        ends, count = _ends(folder)
        documents = distinct(ends)
        places = np.searchsorted(documents, ends)
        del ends
        return cls(documents, components(*np.split(places, 2), count=len(documents)), count)


def _ends(folder: Path) -> tuple[I64, int]:
    """Where links begin, and then where they end; and how many of them are pairs."""
    pairs, buckets = read_parquet(folder / "pairs.parquet", columns=["left", "right"]), LargeBuckets.read(folder)
    members = buckets.documents[buckets.members]
    firsts = np.repeat(members[buckets.offsets[:-1]], np.diff(buckets.offsets))
    return np.concatenate([pairs["left"].to_numpy(), firsts, pairs["right"].to_numpy(), members]), pairs.height


def components(left: I64, right: I64, *, count: int) -> I64:
    """For each of ``count`` nodes the smallest that it hangs together with, by links between ``left`` and ``right``.

    Each round joins every component to the smallest of its neighbours; nearly all links are then within components, and
    are left out. SciPy has the same in 32 bits.
    """
    smallest = np.arange(count)
    while len(left):
        np.minimum.at(smallest, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(further := smallest[smallest], smallest):
            smallest = further
        left, right = smallest[left], smallest[right]
        apart = left != right
        left, right = left[apart], right[apart]
    return smallest


@dataclass(frozen=True)
class Parts:
    """Which part each document is in."""

    count: int
    of_documents: U16
    """uint16 (documents and those of an index,): 0 for what has no duplicate, else one more than the part's number."""


def divide(folder: Path, *, documents: int, memory_bytes: int) -> Parts:
    """Divide what may have a duplicate into as many parts as memory for one of them asks for.

    In memory are two bytes a document, and some ten numbers a pair; copies are read some at a time.

    Args:
        folder: where the duplicates are.
        documents: of the corpus.
        memory_bytes: for a part.
    """
    links, copies = Links.of(folder), pq.ParquetFile(folder / "copies.parquet")
    frozen = pq.read_metadata(folder / "frozen.parquet").num_rows
    most = 2 * copies.metadata.num_rows + len(links.documents)  # every copy of another document
    needed = most * BYTES_A_DOCUMENT + links.pairs * BYTES_A_PAIR
    parts = min(MOST_PARTS, parts_for(needed, bytes_a_row=1, memory_bytes=memory_bytes))
    found = np.zeros(documents + frozen, np.uint16)
    with copies:
        for (first,) in _copies(copies, "first_copy"):
            found[first] = _numbers(first, parts)
        found[links.documents] = _numbers(links.component, parts)
        for first, document in _copies(copies, "first_copy", "document"):
            found[document] = found[first]
    return Parts(parts, found)


def _copies(file: pq.ParquetFile, *columns: str) -> Iterator[list[I64]]:
    """Some columns, some rows at a time; Arrow's own way to NumPy would load pandas."""
    for batch in file.iter_batches(COPIES_AT_A_TIME, columns=list(columns)):
        yield [pl.Series(batch.column(name)).to_numpy() for name in columns]


def _numbers(values: I64, parts: int) -> Array:
    return (1 + mix64(values) % np.uint64(parts)).astype(np.uint16)
