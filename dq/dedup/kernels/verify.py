"""Exact Jaccard similarity of sorted shingle sets, in integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.kernels.jit import inlined, kernel

__all__ = ["common_shingles", "verify_pairs"]

Array = np.ndarray[Any, Any]


@inlined
def common_shingles(left: Array, right: Array, numerator: int, denominator: int) -> int:
    """Size of the intersection of two sorted unique arrays, or -1 once it cannot reach the threshold.

    The threshold is ``numerator / denominator``: J >= t exactly where ``common * (n + d) >= n * (|A| + |B|)``.
    """
    total = left.size + right.size
    needed = -((-numerator * total) // (numerator + denominator))
    if min(left.size, right.size) < needed:
        return -1
    i = j = common = 0
    # What either side may still leave unmatched.
    left_spare, right_spare = left.size - needed, right.size - needed
    while i < left.size and j < right.size:
        a, b = left[i], right[j]
        if a == b:
            common += 1
            i += 1
            j += 1
        elif a < b:
            i += 1
            left_spare -= 1
            if left_spare < 0:
                return -1
        else:
            j += 1
            right_spare -= 1
            if right_spare < 0:
                return -1
    return common if common >= needed else -1


@kernel
def verify_pairs(
    pairs: Array,
    shingles: Array,
    starts: Array,
    lengths: Array,
    numerator: int,
    denominator: int,
    common: Array,
    union: Array,
) -> None:
    """Intersection and union of each pair of rows; intersection -1 where the threshold is missed."""
    for k in range(pairs.shape[0]):
        left, right = pairs[k, 0], pairs[k, 1]
        a = shingles[starts[left] : starts[left] + lengths[left]]
        b = shingles[starts[right] : starts[right] + lengths[right]]
        found = common_shingles(a, b, numerator, denominator)
        common[k] = found
        union[k] = a.size + b.size - found
