"""Rows of a corpus cut by their hashes into parts, each of which fits into memory.

Every run of shards leaves a file of its rows, ordered by part; whoever works on a part reads its piece of each file. So
no file is read twice, and no process sees all rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, Array

ROWS_A_RUN = 1 << 18  # a run that holds as many is closed: there are at most as many runs as shards


class Run(NamedTuple):
    """Shards that stand next to each other."""

    number: int
    shards: range


def runs_of(first_documents: I64) -> list[Run]:
    """All shards in runs; ``first_documents`` is (shards + 1,)."""
    runs: list[Run] = []
    begin, last = 0, len(first_documents) - 1
    for end in range(1, last + 1):
        if first_documents[end] - first_documents[begin] >= ROWS_A_RUN or end == last:
            runs.append(Run(len(runs), range(begin, end)))
            begin = end
    return runs


def parts_for(rows: int, *, bytes_a_row: int, memory_bytes: int) -> int:
    """So many that the rows of one fit into memory: hashes spread them evenly."""
    return max(1, -(-rows * bytes_a_row // max(1, memory_bytes)))


def by_part(hashes: Array, parts: int) -> tuple[Array, I64]:
    """The order of rows by part, else as they were, and where each part begins and the last one ends: (parts + 1,).

    ``hashes`` is uint64 (n,); parts are ranges of its values, of equal width.
    """
    part = ((hashes >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)
    order = np.argsort(part.astype(np.uint32), kind="stable") if parts > 1 else np.arange(len(hashes))
    return order, np.searchsorted(part[order], np.arange(parts + 1, dtype=np.uint64)).astype(np.int64)
