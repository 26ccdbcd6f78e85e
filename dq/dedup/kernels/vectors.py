"""Means and cosines of rows, in double precision and one order of adding: the same bits everywhere."""

from __future__ import annotations

import math

import numpy as np

from dq.arrays import F32, F64, I64
from dq.text.kernels.jit import kernel


@kernel
def squared_lengths(vectors: F32, squares: F64) -> None:
    """The sum of the squares of every row, into ``squares``."""
    for row in range(vectors.shape[0]):
        total = 0.0
        for at in range(vectors.shape[1]):
            value = np.float64(vectors[row, at])
            total += value * value
        squares[row] = total


@kernel
def pair_cosines(vectors: F32, squares: F64, left: I64, right: I64, found: F64) -> None:
    """The cosine of every pair of rows, into ``found``; exactly 1 for equal rows. No row is zero."""
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        total = 0.0
        for at in range(vectors.shape[1]):
            total += np.float64(vectors[a, at]) * np.float64(vectors[b, at])
        found[pair] = max(-1.0, min(1.0, total / math.sqrt(squares[a] * squares[b])))


@kernel
def add_means(table: F32, rows: I64, weights: F32, offsets: I64, means: F32) -> None:
    """The weighted mean of the rows of each run, into ``means``; zeros where a run is empty."""
    total = np.empty(table.shape[1], np.float64)
    for run in range(offsets.size - 1):
        begin, end = offsets[run], offsets[run + 1]
        total[:] = 0.0
        for at in range(begin, end):
            row, weight = rows[at], np.float64(weights[at])
            for column in range(total.size):
                total[column] += weight * np.float64(table[row, column])
        for column in range(total.size):
            means[run, column] = np.float32(total[column] / max(1, end - begin))
