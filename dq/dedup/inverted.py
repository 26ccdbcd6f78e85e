"""Exact neighbours by brute force made fast: an inverted index of some documents' shingles, any others against it.

No signatures and no bands, so nothing is missed: the truth for the audit, and the search for near-duplicates of
held-out documents. Cost is one table lookup a shingle plus the length of the posting lists met; meant for thousands
of documents.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import U64, Array, read_only
from dq.dedup.config import exact_threshold
from dq.dedup.kernels.inverted import HashTable, Postings, fill_table, overlaps
from dq.dedup.kernels.verify import Bound
from dq.dedup.shingles import Shingles

ROOM = 1 << 16


def hash_table(values: U64) -> HashTable:
    """Enter unique hashes in a table, at most half full."""
    bits = max(4, int(np.ceil(np.log2(2 * max(1, len(values))))))
    table = HashTable(read_only(values), np.full(1 << bits, -1, np.int64), 64 - bits)
    fill_table(table)
    return table._replace(slots=read_only(table.slots))


class InvertedIndex:
    """Shingles of n documents, ready to be met by others."""

    def __init__(self, shingles: Shingles) -> None:
        self.sizes = np.diff(shingles.offsets)
        rows = np.repeat(np.arange(len(shingles)), self.sizes)
        order = np.argsort(shingles.hashes)
        hashes = shingles.hashes[order]
        starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)])
        offsets = np.append(starts, len(order)).astype(np.int64)
        table = hash_table(hashes[starts])
        self._postings = Postings(table, read_only(rows[order]), read_only(offsets), read_only(self.sizes))

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def values(self) -> U64:
        """Every shingle, ascending."""
        return self._postings.table.values

    def neighbours(self, shingles: Shingles, threshold: float, *, containment: bool = False) -> pl.DataFrame:
        """Every pair of a given document and an indexed one at or above ``threshold``.

        Args:
            shingles: the documents to look up; empty ones match nothing.
            threshold: smallest similarity, above 0; compared in integers.
            containment: measure the share of the indexed document's shingles that the other one holds, not Jaccard.

        Returns:
            DataFrame document, row (of the index), intersection, union: int64, in order of document, then row.
        """
        bound = Bound(*exact_threshold(threshold).as_integer_ratio())
        given = (read_only(shingles.hashes), read_only(shingles.offsets))
        room = np.empty((max(ROOM, len(self)), 3), np.int64)
        found: list[Array] = []
        begin = 0
        while begin < len(shingles):
            written, begin = overlaps(*given, begin, self._postings, bound, containment, room)
            found.append(room[:written].copy())
        document, row, common = np.concatenate([np.empty((0, 3), np.int64), *found]).T
        union = np.diff(shingles.offsets)[document] + self.sizes[row] - common
        frame = pl.DataFrame({"document": document, "row": row, "intersection": common, "union": union})
        return frame.sort("document", "row")
