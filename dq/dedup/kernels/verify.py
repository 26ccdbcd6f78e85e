"""Exact Jaccard similarity of sorted shingle sets, in integers."""

from __future__ import annotations

from typing import NamedTuple

from dq.arrays import I64, U64
from dq.text.kernels.jit import inlined, kernel


class Bound(NamedTuple):
    """The smallest similarity that counts, as a fraction: whatever is compared with it stays an integer."""

    numerator: int
    denominator: int


@inlined
def common_shingles(left: U64, right: U64, bound: Bound) -> int:
    """Size of the intersection of two sorted unique arrays, or -1 once it cannot reach the bound.

    With the bound n / d: J >= n / d exactly where ``common * (n + d) >= n * (|A| + |B|)``.
    """
    total = left.size + right.size
    needed = -((-bound.numerator * total) // (bound.numerator + bound.denominator))
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
def verify_pairs(pairs: I64, shingles: U64, starts: I64, lengths: I64, bound: Bound, common: I64, union: I64) -> None:
    """Intersection and union of each pair of rows; intersection -1 where the bound is missed."""
    for k in range(pairs.shape[0]):
        left, right = pairs[k, 0], pairs[k, 1]
        a = shingles[starts[left] : starts[left] + lengths[left]]
        b = shingles[starts[right] : starts[right] + lengths[right]]
        found = common_shingles(a, b, bound)
        common[k] = found
        union[k] = a.size + b.size - found


@kernel
def gather(source: U64, starts: I64, lengths: I64, out: U64, offsets: I64) -> None:
    """Copy runs of ``source`` to their places in ``out``."""
    for k in range(starts.size):
        begin, at = starts[k], offsets[k]
        for i in range(lengths[k]):
            out[at + i] = source[begin + i]
