"""Counts the words and phrases of a list."""

from __future__ import annotations

import numpy as np

from dq.arrays import F64, I64, U64
from dq.text.kernels.jit import kernel
from dq.text.kernels.search import find_sorted

NEXT = np.uint64(0xD6E8FEB86659FD93)


@kernel
def phrase_keys(bounds: I64, folded: U64, out: U64) -> None:
    """One number for the words of each phrase together."""
    for row in range(out.size):
        key = np.uint64(0)
        for k in range(bounds[row], bounds[row + 1]):
            key = key * NEXT + folded[k]
        out[row] = key


@kernel
def count_phrases(bounds: I64, folded: U64, keys: U64, longest: int, out: F64) -> None:
    """How often phrases stand in each document: ``keys``, sorted, of at most ``longest`` words."""
    for row in range(out.size):
        count = 0
        for first in range(bounds[row], bounds[row + 1]):
            key = np.uint64(0)
            for k in range(first, min(first + longest, bounds[row + 1])):
                key = key * NEXT + folded[k]
                count += find_sorted(key, keys) >= 0
        out[row] = count
