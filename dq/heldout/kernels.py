"""An inverted index of held-out shingles, and exact overlap counts against it.

The index is an open-addressing table from a 64-bit shingle hash to its postings (the held-out entries that hold it).
A document costs one probe a shingle plus one addition a posting; nothing is sampled, nothing is estimated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.jit import kernel

__all__ = ["best_overlap", "build_table", "find_slot"]

EMPTY = np.int64(-1)


@kernel
def find_slot(table_keys: Any, table_rows: Any, key: Any) -> Any:
    """The slot of ``key``, or the empty slot where it would go. Capacity is a power of two."""
    mask = np.uint64(len(table_keys) - 1)
    slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(1) & mask
    while table_rows[slot] != EMPTY and table_keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def build_table(keys: Any, table_keys: Any, table_rows: Any) -> None:
    """Put distinct keys into an empty table: row r of ``keys`` is found under ``keys[r]``."""
    for row in range(len(keys)):
        slot = find_slot(table_keys, table_rows, keys[row])
        table_keys[slot] = keys[row]
        table_rows[slot] = row


@kernel
def best_overlap(
    hashes: Any,
    offsets: Any,
    table_keys: Any,
    table_rows: Any,
    posting_offsets: Any,
    postings: Any,
    entry_sizes: Any,
    jaccard: Any,
    best_entry: Any,
    best_shared: Any,
    best_score: Any,
) -> None:
    """For each document the held-out entry with the highest overlap.

    ``hashes[offsets[d]:offsets[d + 1]]`` are a document's distinct shingles. The score is Jaccard where ``jaccard`` is
    true, else containment: shared shingles over the entry's. ``best_entry`` is -1 where nothing is shared.
    """
    shared = np.zeros(len(entry_sizes), np.int64)
    touched = np.empty(len(entry_sizes), np.int64)
    for d in range(len(offsets) - 1):
        n_touched = 0
        for at in range(offsets[d], offsets[d + 1]):
            row = table_rows[find_slot(table_keys, table_rows, hashes[at])]
            if row != EMPTY:
                for p in range(posting_offsets[row], posting_offsets[row + 1]):
                    entry = postings[p]
                    if shared[entry] == 0:
                        touched[n_touched] = entry
                        n_touched += 1
                    shared[entry] += 1
        best_entry[d] = -1
        best_score[d] = 0.0
        best_shared[d] = 0
        size = offsets[d + 1] - offsets[d]
        for t in range(n_touched):
            entry = touched[t]
            total = size + entry_sizes[entry] - shared[entry] if jaccard else entry_sizes[entry]
            score = shared[entry] / total
            if score > best_score[d] or (score == best_score[d] and entry < best_entry[d]):
                best_entry[d] = entry
                best_score[d] = score
                best_shared[d] = shared[entry]
            shared[entry] = 0
