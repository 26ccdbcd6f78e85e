"""Where texts have passages in common: sampled grams, the windows that share one, and the first place of each key.

Windows of n bytes are too many to keep: one a byte. Winnowing (Schleimer, Wilkerson and Aiken 2003) takes of every
window the gram of the least hash, of equal ones the last: a choice that the window's bytes alone make. So
windows of equal bytes agree in their gram and in its place, and neighbouring windows mostly in both: these are a
*block*, a quarter of n windows or so, which cover 1.25 n bytes. Equal blocks have equal windows. Windows are looked at
one by one only where one gram stands in blocks that differ: at the ends of what is equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I32, I64, U8, U64
from dq.text.kernels.bits import multiply_fold
from dq.text.kernels.jit import inlined, kernel
from dq.text.kernels.xxhash import xxhash64

FACTOR = np.uint64(0x9E3779B97F4A7C15)
SEVERAL = np.uint64(1 << 63)
AT_ONCE = 32
SECRET = np.uint64(0xA0761D6478BD642F)


class Sampling(NamedTuple):
    """How windows are told apart."""

    window: int
    """Bytes."""
    gram: int
    """Bytes, at most those of a window."""
    seed: int
    mask: np.uint64
    """Of the bits of hashes that count: all, but in tests of what becomes of equal hashes."""


class Blocks(NamedTuple):
    """Neighbouring windows that have one gram, in the order of the texts; of each text they are all its windows."""

    grams: U64
    """Hashes of the grams."""
    wholes: U64
    """Hashes of all the bytes of a block."""
    starts: I64
    """Addresses of their first windows."""
    windows: I32


@inlined
def _add(
    data: U8, text: int, address: int, block: tuple[int, int, np.uint64], sampling: Sampling, out: Blocks, at: int
) -> int:
    """Enter a block (first window, one past the last, gram) if there is room; returns the count with it."""
    first, stop, gram = block
    if at < out.grams.size:
        whole = xxhash64(data, text + first, text + stop - 1 + sampling.window, sampling.seed)
        out.grams[at], out.wholes[at] = gram, whole & sampling.mask
        out.starts[at], out.windows[at] = address + first, stop - first
    return at + 1


@kernel
def find_blocks(data: U8, offsets: I64, addresses: I64, sampling: Sampling, out: Blocks) -> int:
    """The blocks of all texts of a window or more; returns how many, of which ``out`` holds as many as it can.

    Args:
        data: bytes of the texts.
        offsets: (n + 1,) into them.
        addresses: of each text's first byte.
        sampling: bytes of windows and grams.
        out: room.
    """
    window, gram = sampling.window, sampling.gram
    beside = window - gram  # a window holds so many grams and one more
    size = 1
    while size <= beside:
        size *= 2
    recent, wrap = np.empty(size, np.uint64), size - 1
    oldest = np.uint64(1)
    for _ in range(gram - 1):
        oldest *= FACTOR
    salt = SECRET ^ np.uint64(sampling.seed)
    count = 0
    for d in range(offsets.size - 1):
        text, length = offsets[d], offsets[d + 1] - offsets[d]
        if length < window:
            continue
        state = np.uint64(0)
        for k in range(gram - 1):
            state = state * FACTOR + np.uint64(data[text + k])
        least, place = np.uint64(0), -1
        chosen, first, hashed = -1, 0, np.uint64(0)
        for i in range(length - gram + 1):
            state = state * FACTOR + np.uint64(data[text + i + gram - 1])
            value = multiply_fold(state ^ salt, FACTOR)
            state -= np.uint64(data[text + i]) * oldest
            recent[i & wrap] = value
            start = i - beside
            if value <= least or place < 0:
                least, place = value, i
            elif place < start:
                least, place = value, i
                for j in range(i - 1, start - 1, -1):
                    if recent[j & wrap] < least:
                        least, place = recent[j & wrap], j
            if start >= 0 and place != chosen:
                if chosen >= 0:
                    count = _add(data, text, addresses[d], (first, start, hashed), sampling, out, count)
                chosen, first, hashed = place, start, least
        count = _add(data, text, addresses[d], (first, length - window + 1, hashed), sampling, out, count)
    return count


@inlined
def _read_ahead(keys: U64, first: int, table: U64, there: U64) -> int:
    """Read the slots of the next keys, none of which depends on another, so that memory is waited for once for all."""
    stop, wrap = min(first + there.size, keys.size), np.uint64(table.shape[0] - 1)
    for i in range(first, stop):
        there[i - first] = table[keys[i] & wrap, 0]
    return stop


@kernel
def enter(keys: U64, values: U64, table: U64, used: int) -> int:
    """Enter the values of keys; returns used slots, or -1 where the table is too full.

    A table has (slots, 2): keys by open addressing, 0 where free, and the least value of each. Where a key has values
    that differ its top bit is set; there is none in values.
    """
    wrap, most, there, stop = np.uint64(table.shape[0] - 1), table.shape[0] * 3 // 4, np.empty(AT_ONCE, np.uint64), 0
    for i in range(keys.size):
        if i == stop:
            stop = _read_ahead(keys, i, table, there)
        key, value = max(keys[i], np.uint64(1)), values[i] & ~SEVERAL
        slot = key & wrap
        if there[i % AT_ONCE] != key:
            while table[slot, 0] != 0 and table[slot, 0] != key:
                slot = (slot + np.uint64(1)) & wrap
        if table[slot, 0] == 0:
            if used >= most:
                return -1
            used += 1
            table[slot, 0], table[slot, 1] = key, value
        elif table[slot, 1] & ~SEVERAL != value:
            table[slot, 1] = min(table[slot, 1] & ~SEVERAL, value) | SEVERAL
    return used


@kernel
def look_up(keys: U64, table: U64, found: U64) -> None:
    """What the table holds for each key."""
    wrap, there, stop = np.uint64(table.shape[0] - 1), np.empty(AT_ONCE, np.uint64), 0
    for i in range(keys.size):
        if i == stop:
            stop = _read_ahead(keys, i, table, there)
        key = max(keys[i], np.uint64(1))
        slot = key & wrap
        if there[i % AT_ONCE] != key:
            while table[slot, 0] != key:
                slot = (slot + np.uint64(1)) & wrap
        found[i] = table[slot, 1]


@kernel
def hash_windows(
    data: U8, offsets: I64, addresses: I64, windows: I32, several: U8, sampling: Sampling, hashes: U64, starts: I64
) -> None:
    """The hash and the address of every window of the blocks that are marked, in order.

    Args:
        data: bytes of the texts.
        offsets: (n + 1,) into them.
        addresses: of each text's first byte.
        windows: of each block of these texts.
        several: marks of the blocks.
        sampling: as the blocks were found.
        hashes: room for one a window.
        starts: likewise.
    """
    block = count = 0
    for d in range(offsets.size - 1):
        at = 0
        while at < offsets[d + 1] - offsets[d] - sampling.window + 1:
            if several[block]:
                for k in range(at, at + windows[block]):
                    begin = offsets[d] + k
                    hashed = xxhash64(data, begin, begin + sampling.window, sampling.seed)
                    hashes[count], starts[count] = hashed & sampling.mask, addresses[d] + k
                    count += 1
            at += windows[block]
            block += 1
