"""An inverted index of shingles: exact overlaps of any document with all indexed ones, without candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.kernels.jit import inlined, kernel

__all__ = ["build_table", "find_value", "overlaps"]

Array = np.ndarray[Any, Any]


@kernel
def build_table(values: Array, table: Array, shift: int) -> None:
    """Enter the position of every value of a unique uint64 array into an open-addressing table (int64, -1 = free).

    Hashes are uniform, so their top bits are the slot; the table has ``2 ** (64 - shift)`` slots.
    """
    wrap = table.size - 1
    for i in range(values.size):
        slot = np.int64(values[i] >> np.uint64(shift))
        while table[slot] >= 0:
            slot = (slot + 1) & wrap
        table[slot] = i


@inlined
def find_value(value: Any, values: Array, table: Array, shift: int) -> Any:
    """Position of a value in a table of :func:`build_table`, or -1."""
    slot = np.int64(value >> np.uint64(shift))
    wrap = table.size - 1
    while True:
        i = table[slot]
        if i < 0 or values[i] == value:
            return i
        slot = (slot + 1) & wrap


@kernel
def overlaps(
    hashes: Array,
    offsets: Array,
    begin: int,
    values: Array,
    table: Array,
    shift: int,
    postings: Array,
    posting_offsets: Array,
    sizes: Array,
    numerator: int,
    denominator: int,
    containment: bool,
    out: Array,
) -> Any:
    """Pairs (document, indexed row, common shingles) at or above ``numerator / denominator``, from ``begin`` on.

    Similarity is Jaccard's, or with ``containment`` the share of the indexed document's shingles. Stops where ``out``
    (int64, (m, 3), m at least the number of rows) may not hold the next document's pairs; returns pairs and position.
    """
    shared = np.zeros(sizes.size, np.int64)
    touched = np.empty(sizes.size, np.int64)
    written = 0
    for d in range(begin, offsets.size - 1):
        if written + sizes.size > out.shape[0]:
            return written, d
        count = 0
        for k in range(offsets[d], offsets[d + 1]):
            i = find_value(hashes[k], values, table, shift)
            if i < 0:
                continue
            for p in range(posting_offsets[i], posting_offsets[i + 1]):
                row = postings[p]
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
            if common * denominator >= whole * numerator:
                out[written, 0] = d
                out[written, 1] = row
                out[written, 2] = common
                written += 1
    return written, offsets.size - 1
