"""Means of vectors of tokens: what a static embedding of a text is."""

from __future__ import annotations

import numpy as np

from dq.arrays import F32, I64, read_only
from dq.dedup.kernels.vectors import add_means


def mean_vectors(table: F32, rows: I64, weights: F32, *, offsets: I64) -> F32:
    """The mean of the weighted rows of a table, for every run of them.

    Args:
        table: float32 (entries, dimensions).
        rows: int64, entries of one run after another.
        weights: float32, of each of these.
        offsets: int64 (runs + 1,), where each run begins.

    Returns:
        float32 (runs, dimensions), zeros for an empty run.
    """
    means = np.empty((len(offsets) - 1, table.shape[1]), np.float32)
    add_means(read_only(table), read_only(rows), read_only(weights), read_only(offsets), means)
    return means
