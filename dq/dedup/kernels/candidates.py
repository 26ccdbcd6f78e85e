"""Band buckets and the candidate pairs in them.

Documents are the first ones of their classes (one per distinct shingle set). A pair that shares several bands is
emitted by the first of them only, which needs no table of pairs seen: the earlier bands are compared instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, U8, U32, U64, Bools
from dq.text.kernels.bits import multiply_fold
from dq.text.kernels.jit import inlined, kernel

SALT = np.uint64(0x2D358DCCAA6C78A5)
STEP = np.uint64(0x8BB84B93962EACC9)


class BandTables(NamedTuple):
    """What candidates are found with."""

    digests: U8
    """(n, num_perm): the low byte of each signature value. Two values that differ agree there once in 256 times, so
    comparing digests never finds fewer equal values than comparing signatures."""
    hashes: U64
    """(bands, n): the band hashes."""


class PairRules(NamedTuple):
    """Which members of a bucket become pairs."""

    rows: int
    """Signature values of a band."""
    min_matches: int
    """Equal digest values that a pair must have."""
    max_bucket: int
    """Larger buckets give no pairs."""
    frozen_from: int
    """Two members from this one on are never a pair."""


@kernel
def group_keys(keys: U64, counts: I64, first: I64) -> int:
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
def hash_bands(signatures: U32, bands: int, rows: int, out: U64) -> None:
    """64-bit hash of each band of each signature: (bands, n)."""
    for d in range(signatures.shape[0]):
        for band in range(bands):
            state = SALT
            for k in range(rows):
                state = multiply_fold(state ^ np.uint64(signatures[d, band * rows + k]), STEP)
            out[band, d] = state


@inlined
def equal_values(left: U8, right: U8) -> int:
    """Number of equal values of two digests."""
    count = 0
    for k in range(left.size):
        count += left[k] == right[k]
    return count


@inlined
def _earlier_band(left: int, right: int, tables: BandTables, band: int, rows: int) -> bool:
    """Whether two members share a band before this one: their digests tell quickly, band hashes decide."""
    for other in range(band):
        agree = True
        for k in range(other * rows, (other + 1) * rows):
            if tables.digests[left, k] != tables.digests[right, k]:
                agree = False
                break
        if agree and tables.hashes[other, left] == tables.hashes[other, right]:
            return True
    return False


@kernel
def emit_pairs(
    hashes: U64, members: I64, tables: BandTables, rules: PairRules, band: int, begin: int, pairs: I64, counters: I64
) -> tuple[int, int]:
    """Pairs of members in the buckets of one band, from ``begin`` on until ``pairs`` ((m, 2)) is nearly full.

    ``hashes`` is sorted and ``members`` goes with it. Adds to ``counters``: pairs compared, pairs skipped because their
    digests agree in too few values. Returns the pairs written and where to go on.
    """
    written = 0
    i = begin
    while i < hashes.size:
        end = i + 1
        while end < hashes.size and hashes[end] == hashes[i]:
            end += 1
        size = end - i
        if 2 <= size <= rules.max_bucket:
            if written + size * (size - 1) // 2 > pairs.shape[0]:
                return written, i
            for x in range(i, end):
                for y in range(x + 1, end):
                    left, right = members[x], members[y]
                    if left >= rules.frozen_from and right >= rules.frozen_from:
                        continue
                    if _earlier_band(left, right, tables, band, rules.rows):
                        continue
                    counters[0] += 1
                    if equal_values(tables.digests[left], tables.digests[right]) < rules.min_matches:
                        counters[1] += 1
                        continue
                    pairs[written, 0] = min(left, right)
                    pairs[written, 1] = max(left, right)
                    written += 1
        i = end
    return written, i


@kernel
def mark_small_buckets(hashes: U64, max_bucket: int, small: Bools) -> None:
    """Mark the members of every bucket of two to ``max_bucket`` in sorted ``hashes``."""
    i = 0
    while i < hashes.size:
        end = i + 1
        while end < hashes.size and hashes[end] == hashes[i]:
            end += 1
        if 2 <= end - i <= max_bucket:
            for k in range(i, end):
                small[k] = True
        i = end


@kernel
def large_buckets(hashes: U64, max_bucket: int, bounds: I64) -> int:
    """Begin and end of every bucket above ``max_bucket`` into ``bounds`` ((m, 2)); returns how many."""
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
