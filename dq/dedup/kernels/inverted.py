"""An inverted index of shingles: exact overlaps of any document with all indexed ones, without candidates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, U64
from dq.dedup.kernels.verify import Bound
from dq.text.kernels.jit import inlined, kernel


class HashTable(NamedTuple):
    """Where each of some unique hashes stands, by open addressing."""

    values: U64
    """The hashes. They are uniform, so their top bits are the slot."""
    slots: I64
    """Positions in ``values``, -1 where free; ``2 ** (64 - shift)`` of them."""
    shift: int


class Postings(NamedTuple):
    """Shingles of indexed documents, and which documents have them."""

    table: HashTable
    rows: I64
    """The documents of one shingle after the other."""
    offsets: I64
    """Into ``rows``, by position in the table."""
    sizes: I64
    """Shingles of each document."""


@kernel
def fill_table(table: HashTable) -> None:
    """Enter the position of every value into slots that are all free."""
    wrap = table.slots.size - 1
    for i in range(table.values.size):
        slot = np.int64(table.values[i] >> np.uint64(table.shift))
        while table.slots[slot] >= 0:
            slot = (slot + 1) & wrap
        table.slots[slot] = i


@inlined
def find_value(value: np.uint64, table: HashTable) -> int:
    """Position of a value in a table, or -1."""
    slot = np.int64(value >> np.uint64(table.shift))
    wrap = table.slots.size - 1
    while True:
        i = table.slots[slot]
        if i < 0 or table.values[i] == value:
            return i
        slot = (slot + 1) & wrap


@kernel
def overlaps(
    hashes: U64, offsets: I64, begin: int, index: Postings, bound: Bound, containment: bool, out: I64
) -> tuple[int, int]:
    """Pairs (document, indexed row, common shingles) at or above the bound, from document ``begin`` on.

    Similarity is Jaccard's, or with ``containment`` the share of the indexed document's shingles. Stops where ``out``
    ((m, 3), m at least the number of rows) may not hold the next document's pairs; returns pairs and position.
    """
    sizes = index.sizes
    shared = np.zeros(sizes.size, np.int64)
    touched = np.empty(sizes.size, np.int64)
    written = 0
    for d in range(begin, offsets.size - 1):
        if written + sizes.size > out.shape[0]:
            return written, d
        count = 0
        for k in range(offsets[d], offsets[d + 1]):
            i = find_value(hashes[k], index.table)
            if i < 0:
                continue
            for p in range(index.offsets[i], index.offsets[i + 1]):
                row = index.rows[p]
                if shared[row] == 0:
                    touched[count] = row
                    count += 1
                shared[row] += 1
        size = offsets[d + 1] - offsets[d]
        for k in range(count):
            row = touched[k]
            common = shared[row]
            shared[row] = 0
            whole = sizes[row] if containment else size + sizes[row] - common
            if common * bound.denominator >= whole * bound.numerator:
                out[written, 0] = d
                out[written, 1] = row
                out[written, 2] = common
                written += 1
    return written, offsets.size - 1
