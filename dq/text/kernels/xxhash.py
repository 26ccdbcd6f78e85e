"""xxHash64 over byte ranges, after the specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md)."""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U64
from dq.text.kernels.bits import load_u64, nonnegative
from dq.text.kernels.jit import inlined, kernel, part

PRIME_1 = np.uint64(0x9E3779B185EBCA87)
PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
PRIME_3 = np.uint64(0x165667B19E3779F9)
PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
PRIME_5 = np.uint64(0x27D4EB2F165667C5)
WIDTH = np.uint64(64)


@inlined
def _rotate(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> (WIDTH - np.uint64(bits)))


@part
def _read4(data: U8, at: int) -> np.uint64:
    value = np.uint64(0)
    for k in range(4):
        value |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return value


@inlined
def _round(state: np.uint64, lane: np.uint64) -> np.uint64:
    return _rotate(state + lane * PRIME_2, 31) * PRIME_1


@kernel
def xxhash64(data: U8, begin: int, end: int, seed: int) -> np.uint64:
    """XXH64 of ``data[begin:end]``."""
    start = np.uint64(seed)
    at = nonnegative(begin)
    if end - begin >= 32:
        one, two = start + PRIME_1 + PRIME_2, start + PRIME_2
        three, four = start, start - PRIME_1
        while at + 32 <= end:
            one = _round(one, load_u64(data, at))
            two = _round(two, load_u64(data, at + 8))
            three = _round(three, load_u64(data, at + 16))
            four = _round(four, load_u64(data, at + 24))
            at += 32
        state = _rotate(one, 1) + _rotate(two, 7) + _rotate(three, 12) + _rotate(four, 18)
        for lane in (one, two, three, four):
            state = (state ^ _round(np.uint64(0), lane)) * PRIME_1 + PRIME_4
    else:
        state = start + PRIME_5
    state += np.uint64(end - begin)
    while at + 8 <= end:
        state = _rotate(state ^ _round(np.uint64(0), load_u64(data, at)), 27) * PRIME_1 + PRIME_4
        at += 8
    if at + 4 <= end:
        state = _rotate(state ^ (_read4(data, at) * PRIME_1), 23) * PRIME_2 + PRIME_3
        at += 4
    while at < end:
        state = _rotate(state ^ (np.uint64(data[at]) * PRIME_5), 11) * PRIME_1
        at += 1
    state = (state ^ (state >> np.uint64(33))) * PRIME_2
    state = (state ^ (state >> np.uint64(29))) * PRIME_3
    return state ^ (state >> np.uint64(32))


@kernel
def hash_texts(data: U8, offsets: I64, seed: int, out: U64) -> None:
    """XXH64 of every text into ``out`` (uint64)."""
    for d in range(offsets.size - 1):
        out[d] = xxhash64(data, offsets[d], offsets[d + 1], seed)
