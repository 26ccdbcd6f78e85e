"""Counts stop words by lists, one for each language."""

from __future__ import annotations

import math

import numpy as np

from dq.arrays import F64, I64, U64
from dq.text.kernels.bits import count_ones
from dq.text.kernels.jit import kernel
from dq.text.kernels.search import find_sorted


@kernel
def count_listed(bounds: I64, folded: U64, chosen: I64, keys: U64, starts: I64, out: F64) -> None:
    """How many different words of its list (at most 64) each document has; NaN for those without one.

    bounds: where the words of each document begin in ``folded``. chosen: the list of each, -1 for none. keys, starts:
    the lists' words.
    """
    for row in range(out.size):
        if chosen[row] < 0:
            out[row] = math.nan
            continue
        listed = keys[starts[chosen[row]] : starts[chosen[row] + 1]]
        found = np.uint64(0)
        for k in range(bounds[row], bounds[row + 1]):
            place = find_sorted(folded[k], listed)
            if place >= 0:
                found |= np.uint64(1) << np.uint64(place)
        out[row] = count_ones(found)
