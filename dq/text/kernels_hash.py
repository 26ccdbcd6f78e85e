"""64-bit hashes of byte ranges: multiply-and-fold over 8-byte blocks.

Not cryptographic. Two different words or lines collide with probability about 2**-64 a pair, so a document of a million
words expects 3e-8 collisions; signals compare hashes and never the bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.helper import inlined
from dq.text.jit import kernel
from dq.text.kernels_bits import load_u64

__all__ = ["finish", "hash_bytes", "hash_of", "hash_pair", "tail_u64"]

SEED = np.uint64(0x9E3779B97F4A7C15)
FOLD = np.uint64(0xD6E8FEB86659FD93)


@inlined
def tail_u64(data: Any, start: Any, length: Any) -> Any:
    """``length`` (1 to 8) bytes from ``start`` as a uint64, zero-filled; never reads past the end of ``data``."""
    if start + 8 <= data.shape[0]:
        return load_u64(data, start) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * length))
    value = np.uint64(0)
    for k in range(length):
        value |= np.uint64(data[start + k]) << np.uint64(8 * k)
    return value


@inlined
def finish(value: Any) -> Any:
    """Spread every input bit over the whole word (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@inlined
def hash_bytes(data: Any, start: Any, end: Any) -> Any:
    """The hash of ``data[start:end]``: uint64."""
    state = SEED ^ np.uint64(end - start)
    at = start
    while at + 8 < end:
        state = (state ^ load_u64(data, at)) * FOLD
        state ^= state >> np.uint64(32)
        at += 8
    if at < end:
        state = (state ^ tail_u64(data, at, end - at)) * FOLD
    return finish(state)


@inlined
def fold_ascii(block: Any) -> Any:
    """Eight ASCII bytes in lower case: 0x20 added where a byte is from A to Z."""
    from_a = block + np.uint64(0x3F3F3F3F3F3F3F3F)  # bit 7 of a byte: 0x41 or more
    past_z = block + np.uint64(0x2525252525252525)  # bit 7 of a byte: more than 0x5A
    return block | (((from_a & ~past_z) & np.uint64(0x8080808080808080)) >> np.uint64(2))


@inlined
def hash_pair(data: Any, start: Any, end: Any) -> Any:
    """The hashes of ASCII ``data[start:end]`` as it is and in lower case, as hash_bytes of each."""
    state = SEED ^ np.uint64(end - start)
    lower = state
    at = start
    while at + 8 < end:
        block = load_u64(data, at)
        state = (state ^ block) * FOLD
        state ^= state >> np.uint64(32)
        lower = (lower ^ fold_ascii(block)) * FOLD
        lower ^= lower >> np.uint64(32)
        at += 8
    if at < end:
        block = tail_u64(data, at, end - at)
        state = (state ^ block) * FOLD
        lower = (lower ^ fold_ascii(block)) * FOLD
    return finish(state), finish(lower)


@kernel
def hash_of(data: Any) -> Any:
    """The hash of all of ``data`` (uint8), for Python."""
    return hash_bytes(data, 0, data.shape[0])
