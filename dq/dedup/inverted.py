"""Exact neighbours by brute force made fast: an inverted index of some documents' shingles, any others against it.

No signatures and no bands, so nothing is missed: the truth for the audit, and the search for near-duplicates of
held-out documents. Cost is one table lookup a shingle plus the length of the posting lists met; meant for thousands
of documents.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import Array, read_only
from dq.dedup.config import exact_threshold
from dq.dedup.kernels.inverted import build_table, overlaps
from dq.dedup.shingles import Shingles

ROOM = 1 << 16


def hash_table(values: Array) -> tuple[Array, int]:
    """An open-addressing table over unique uint64 hashes (at most half full), and the shift that gives a slot."""
    bits = max(4, int(np.ceil(np.log2(2 * max(1, len(values))))))
    table = np.full(1 << bits, -1, np.int64)
    build_table(read_only(values), table, 64 - bits)
    return table, 64 - bits


class InvertedIndex:
    """Shingles of n documents, ready to be met by others."""

    def __init__(self, shingles: Shingles) -> None:
        self.sizes = np.diff(shingles.offsets)
        rows = np.repeat(np.arange(len(shingles)), self.sizes)
        order = np.argsort(shingles.hashes, kind="stable")
        self._values, starts = np.unique(shingles.hashes[order], return_index=True)
        self._postings = rows[order]
        self._posting_offsets = np.append(starts, len(order)).astype(np.int64)
        self._table, self._shift = hash_table(self._values)

    def __len__(self) -> int:
        return len(self.sizes)

    def neighbours(self, shingles: Shingles, threshold: float, *, containment: bool = False) -> pl.DataFrame:
        """Every pair of a given document and an indexed one at or above ``threshold``.

        Args:
            shingles: the documents to look up; empty ones match nothing.
            threshold: smallest similarity, above 0; compared in integers.
            containment: measure the share of the indexed document's shingles that the other one holds, not Jaccard.

        Returns:
            DataFrame document, row (of the index), intersection, union: int64, in order of document, then row.
        """
        bound = exact_threshold(threshold)
        room = np.empty((max(ROOM, len(self)), 3), np.int64)
        found: list[Array] = []
        begin = 0
        while begin < len(shingles):
            written, begin = overlaps(
                read_only(shingles.hashes), read_only(shingles.offsets), begin, read_only(self._values),
                read_only(self._table), self._shift, read_only(self._postings), read_only(self._posting_offsets),
                read_only(self.sizes), bound.numerator, bound.denominator, containment, room,
            )  # fmt: skip
            found.append(room[:written].copy())
        document, row, common = np.concatenate([np.empty((0, 3), np.int64), *found]).T
        union = np.diff(shingles.offsets)[document] + self.sizes[row] - common
        frame = pl.DataFrame({"document": document, "row": row, "intersection": common, "union": union})
        return frame.sort("document", "row")
