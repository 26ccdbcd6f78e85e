"""Band buckets and the candidate pairs in them.

Documents are given as classes (one row per distinct shingle set). A pair that shares several bands is emitted by the
first
of them only, which needs no table of pairs seen: the earlier bands are compared instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.kernels.bits import multiply_fold
from dq.text.kernels.jit import inlined, kernel

__all__ = ["emit_pairs", "equal_values", "group_keys", "hash_bands", "large_buckets"]

Array = np.ndarray[Any, Any]

SALT = np.uint64(0x2D358DCCAA6C78A5)
STEP = np.uint64(0x8BB84B93962EACC9)
HALF = np.uint64(32)


@kernel
def group_keys(keys: Array, counts: Array, first: Array) -> int:
    """``first[d]`` becomes the first document with the key of document d, -1 for one without shingles.

    Returns the number of classes. An open-addressing table of document numbers, at most half full.
    """
    size = 16
    while size < 2 * counts.size:
        size *= 2
    table = np.empty(size, np.int64)
    for k in range(size):
        table[k] = -1
    wrap = np.uint64(size - 1)
    classes = 0
    for d in range(counts.size):
        if counts[d] == 0:
            first[d] = -1
            continue
        slot = multiply_fold(keys[d, 0] ^ SALT, keys[d, 1] ^ STEP) & wrap
        while True:
            other = table[np.int64(slot)]
            if other < 0:
                table[np.int64(slot)] = d
                first[d] = d
                classes += 1
                break
            if keys[other, 0] == keys[d, 0] and keys[other, 1] == keys[d, 1]:
                first[d] = other
                break
            slot = (slot + np.uint64(1)) & wrap
    return classes


@kernel
def hash_bands(signatures: Array, bands: int, rows: int, out: Array) -> None:
    """64-bit hash of each band of each signature: uint64 (bands, n)."""
    for d in range(signatures.shape[0]):
        for band in range(bands):
            state = SALT
            for k in range(rows):
                state = multiply_fold(state ^ np.uint64(signatures[d, band * rows + k]), STEP)
            out[band, d] = state


@inlined
def equal_values(left: Array, right: Array) -> int:
    """Number of equal values of two digests."""
    count = 0
    for k in range(left.size):
        count += left[k] == right[k]
    return count


@inlined
def _earlier_band(left: int, right: int, digests: Array, hashes: Array, band: int, rows: int) -> bool:
    """Whether two classes share a band before this one: their digests tell quickly, band hashes decide."""
    for other in range(band):
        agree = True
        for k in range(other * rows, (other + 1) * rows):
            if digests[left, k] != digests[right, k]:
                agree = False
                break
        if agree and hashes[other, left] == hashes[other, right]:
            return True
    return False


@kernel
def emit_pairs(
    hashes: Array,
    members: Array,
    digests: Array,
    band_hashes: Array,
    begin: int,
    band: int,
    rows: int,
    min_matches: int,
    max_bucket: int,
    frozen_from: int,
    pairs: Array,
    counters: Array,
) -> Any:
    """Pairs of classes in the buckets of one band, from ``begin`` on until ``pairs`` (int64, (m, 2)) is nearly full.

    ``hashes`` is sorted and ``members`` goes with it. Adds to ``counters``: pairs compared, pairs skipped because their
    digests agree in fewer than ``min_matches`` values. Two classes from ``frozen_from`` on are
    never a pair. Returns the pairs written and where to go on.
    """
    written = 0
    i = begin
    while i < hashes.size:
        end = i + 1
        while end < hashes.size and hashes[end] == hashes[i]:
            end += 1
        size = end - i
        if 2 <= size <= max_bucket:
            if written + size * (size - 1) // 2 > pairs.shape[0]:
                return written, i
            for x in range(i, end):
                for y in range(x + 1, end):
                    left, right = members[x], members[y]
                    if left >= frozen_from and right >= frozen_from:
                        continue
                    if _earlier_band(left, right, digests, band_hashes, band, rows):
                        continue
                    counters[0] += 1
                    if equal_values(digests[left], digests[right]) < min_matches:
                        counters[1] += 1
                        continue
                    pairs[written, 0] = min(left, right)
                    pairs[written, 1] = max(left, right)
                    written += 1
        i = end
    return written, i


@kernel
def large_buckets(hashes: Array, max_bucket: int, bounds: Array) -> int:
    """Begin and end of every bucket above ``max_bucket`` into ``bounds`` (int64, (m, 2)); returns how many."""
    count = 0
    i = 0
    while i < hashes.size:
        end = i + 1
        while end < hashes.size and hashes[end] == hashes[i]:
            end += 1
        if end - i > max_bucket:
            bounds[count, 0] = i
            bounds[count, 1] = end
            count += 1
        i = end
    return count
