"""64-bit hashes of byte ranges by multiplying and folding, after wyhash (Wang Yi, public domain).

Not cryptographic. Two different words or lines collide with probability about 2**-64 a pair, so a document of a million
words expects 3e-8 collisions; signals compare hashes and never the bytes. Up to 16 bytes are read as two blocks without
a branch on their number, because the lengths of words cannot be predicted.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import U8
from dq.text.kernels.bits import load_u64, multiply_fold, nonnegative, unlikely
from dq.text.kernels.jit import helper, inlined, kernel

SECRET = np.uint64(0xA0761D6478BD642F)
SECRET_2 = np.uint64(0xE7037ED1A0B428DB)
SECRET_3 = np.uint64(0x8EBC6AF09C88C6E3)
SMALL_BITS = np.uint64(0x2020202020202020)  # set in the small letters of ASCII, not in the capitals
ALL, NONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)


@inlined
def finish(value: np.uint64) -> np.uint64:
    """Spread every input bit over the whole word."""
    return multiply_fold(value ^ SECRET, SECRET_2)


@inlined
def fold_blocks(first: np.uint64, second: np.uint64, state: np.uint64) -> np.uint64:
    """The hash of two blocks of eight bytes, whatever their number."""
    return multiply_fold(multiply_fold(first ^ state, second ^ SECRET_2), SECRET_3)


@inlined
def _end_of(first: np.uint64, second: np.uint64, state: np.uint64, size: int) -> np.uint64:
    return multiply_fold(multiply_fold(first ^ SECRET_2, second ^ state) ^ np.uint64(size), SECRET_3)


@inlined
def short_blocks(data: U8, start: int, size: int) -> tuple[np.uint64, np.uint64]:
    """Up to 16 bytes as two uint64: the first eight zero-filled, and the last eight, or nothing where fewer."""
    if unlikely(nonnegative(start) + 8 > data.shape[0]):
        return _careful_blocks(data, start, size)
    first = load_u64(data, start) & (ALL >> np.uint64(64 - 8 * min(size, 8)))
    more = size >= 8
    return first, load_u64(data, start + size - 8 if more else start) & (ALL if more else NONE)


@helper
def _careful_blocks(data: U8, start: int, size: int) -> tuple[np.uint64, np.uint64]:
    """The same for fewer than eight bytes at the very end of the data."""
    first = NONE
    for k in range(size):
        first |= np.uint64(data[start + k]) << np.uint64(8 * k)
    return first, NONE


@inlined
def hash_bytes(data: U8, start: int, end: int) -> np.uint64:
    """The hash of ``data[start:end]``, which has a byte or more: uint64."""
    size = end - start
    state = SECRET
    if size <= 16:
        first, second = short_blocks(data, start, size)
    else:
        at = start
        while at + 16 < end:
            state = multiply_fold(load_u64(data, at) ^ SECRET_2, load_u64(data, at + 8) ^ state)
            at += 16
        first, second = load_u64(data, end - 16), load_u64(data, end - 8)
    return _end_of(first, second, state, size)


@inlined
def fold_ascii(block: np.uint64) -> np.uint64:
    """Eight ASCII bytes in lower case: 0x20 added where a byte is from A to Z."""
    from_a = block + np.uint64(0x3F3F3F3F3F3F3F3F)  # bit 7 of a byte: 0x41 or more
    past_z = block + np.uint64(0x2525252525252525)  # bit 7 of a byte: more than 0x5A
    return block | (((from_a & ~past_z) & np.uint64(0x8080808080808080)) >> np.uint64(2))


@inlined
def hash_pair(data: U8, start: int, end: int) -> tuple[np.uint64, np.uint64]:
    """The hashes of ASCII ``data[start:end]`` as it is and in lower case, as hash_bytes of each."""
    size = end - start
    state, lower = SECRET, SECRET
    if size <= 16:
        first, second = short_blocks(data, start, size)
    else:
        at = start
        while at + 16 < end:
            first, second = load_u64(data, at), load_u64(data, at + 8)
            state = multiply_fold(first ^ SECRET_2, second ^ state)
            lower = multiply_fold(fold_ascii(first) ^ SECRET_2, fold_ascii(second) ^ lower)
            at += 16
        first, second = load_u64(data, end - 16), load_u64(data, end - 8)
    return _end_of(first, second, state, size), _end_of(fold_ascii(first), fold_ascii(second), lower, size)


@inlined
def hash_letters(data: U8, start: int, end: int) -> tuple[np.uint64, bool]:
    """The hash of ASCII letters ``data[start:end]``, as of hash_bytes, and False where surely no capital is among them.

    Most words have none, and are their own lower case.
    """
    size = end - start
    if unlikely(size > 16 or nonnegative(start) + 8 > data.shape[0]):
        return hash_bytes(data, start, end), True
    head, tail = ALL >> np.uint64(64 - 8 * min(size, 8)), ALL if size >= 8 else NONE
    first, last = load_u64(data, start), load_u64(data, start + size - 8 if size >= 8 else start)
    capitals = (~first & head | ~last & tail) & SMALL_BITS
    return _end_of(first & head, last & tail, SECRET, size), capitals != 0


@kernel
def hash_of(data: U8) -> np.uint64:
    """The hash of all of ``data`` (uint8), for Python; of nothing, 0."""
    return hash_bytes(data, 0, data.shape[0]) if data.shape[0] else NONE
