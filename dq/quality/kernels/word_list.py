"""Counts the words and phrases of a list."""

from __future__ import annotations

import numpy as np

from dq.arrays import F64, I64, U64, Bools
from dq.text.kernels.jit import kernel
from dq.text.kernels.search import find_sorted

NEXT = np.uint64(0xD6E8FEB86659FD93)
BEGINNINGS = 1 << 16
TOP = np.uint64(48)  # all but the bits that tell beginnings apart


@kernel
def phrase_keys(bounds: I64, folded: U64, begun: Bools, out: U64) -> None:
    """One number for the words of each phrase together; marks in ``begun`` how phrases begin."""
    for row in range(out.size):
        key = np.uint64(0)
        for k in range(bounds[row], bounds[row + 1]):
            key = key * NEXT + folded[k]
            begun[key >> TOP] = True
        out[row] = key


@kernel
def count_phrases(bounds: I64, folded: U64, begun: Bools, keys: U64, longest: int, out: F64) -> None:
    """How often phrases stand in each document: ``keys``, sorted, of at most ``longest`` words.

    Few runs of words begin as a phrase does; the others are not looked up.
    """
    for row in range(out.size):
        count = 0
        for first in range(bounds[row], bounds[row + 1]):
            key = np.uint64(0)
            for k in range(first, min(first + longest, bounds[row + 1])):
                key = key * NEXT + folded[k]
                if not begun[key >> TOP]:
                    break
                count += find_sorted(key, keys) >= 0
        out[row] = count
