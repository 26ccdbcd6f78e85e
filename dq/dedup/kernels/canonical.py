"""Canonical text (`dq.dedup.normalization` says what that is): NFC, without zero-width marks, white space one space.

Nearly all text is canonical but for its white space, so 64 bytes at a time are copied and looked at; only what may
change is worked on, by code points. Every step is linear, whatever the number of marks on one letter. NFC as in Unicode
Standard Annex 15.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from dq.arrays import U8
from dq.dedup.kernels.minhash_vectors import non_ascii_mask
from dq.text.kernels.bits import trailing_zeros
from dq.text.kernels.blocks import BLOCK, VECTOR
from dq.text.kernels.jit import helper, inlined, kernel, plain_kernel
from dq.text.kernels.nfc import MAY_CHANGE, MOST_BYTES, NfcTables, before, compose, stays
from dq.text.kernels.utf8 import decode_any
from dq.text.kernels.vectors import ARRAY, Lanes, Memory, primitive

# What a code point is, beside what NFC asks (NfcTables.kinds).
WHITE = 1
ZERO_WIDTH = 2  # set aside
JOINER = 4  # set aside unless it follows one that JOINS
JOINS = 128  # a joiner after it is seen

SPACE = 0x20
PADDING = 2 * BLOCK
ONE = np.uint64(1)


@primitive(types.uint64, ARRAY, types.int64)
def white_pairs(builder: Any, data: Memory, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``data[index:]`` that is white space of ASCII like the byte after it."""
    return _pairs(builder, data, index).mask()


@primitive(types.uint64, ARRAY, types.int64)
def stops(builder: Any, data: Memory, index: Any) -> Any:
    """Nothing, where the 64 bytes at ``data[index:]`` are ASCII without two white spaces (the byte behind included)."""
    return (_pairs(builder, data, index) | data.lanes(index, VECTOR).below_signed(0)).mask()


def _pairs(builder: Any, data: Memory, index: Any) -> Lanes:
    # Bits of vectors are combined as vectors: LLVM takes masks that are shifted and joined apart, bit by bit.
    return _white(data.lanes(index, VECTOR)) & _white(data.lanes(builder.add(index, index.type(1)), VECTOR))


def _white(block: Lanes) -> Lanes:
    return block.within(0x09, 0x0D) | block.within(0x1C, 0x20)


@primitive(types.void, ARRAY, types.int64, ARRAY, types.int64)
def space_block(builder: Any, source: Memory, index: Any, target: Memory, position: Any) -> None:
    """Copy 64 bytes, every white space of ASCII a space."""
    block = source.lanes(index, VECTOR)
    visible = Lanes(builder, builder.not_(_white(block).value))
    target.store(position, visible.choose(block, SPACE))


@inlined
def canonical_bytes(longest: int) -> int:
    """Room for the canonical text of a document; blocks overhang."""
    return MOST_BYTES * longest + PADDING


@inlined
def _copied(data: U8, begin: int, i: int, end: int, limit: int, mask: np.uint64, tables: NfcTables) -> int:
    """How many of ``limit`` copied bytes are canonical: up to a code point that may change.

    ``mask`` has a bit for each byte outside ASCII.
    """
    while mask != 0:
        at = trailing_zeros(mask)
        if at >= limit:
            break
        code, after = decode_any(data, i + at, end)
        size = after - i - at
        if code < 0 or at + size > limit:
            return at
        kind = tables.kinds[code]
        if kind & (WHITE | ZERO_WIDTH | JOINER) or (kind & MAY_CHANGE and not stays(data, begin, i + at, code, tables)):
            return at
        mask &= ~(((ONE << np.uint64(size)) - ONE) << np.uint64(at))
    return limit


@helper
def _joins(out: U8, j: int, tables: NfcTables) -> bool:
    """Whether a joiner after what is written is seen."""
    if j == 0:
        return False
    last, _ = decode_any(out, before(out, 0, j), j)
    return last >= 0 and tables.kinds[last] & JOINS != 0


@kernel
def canonicalise(data: U8, begin: int, end: int, out: U8, tables: NfcTables) -> int:
    """Write the canonical text of ``data[begin:end]`` and two blocks of spaces to ``out``; returns its length."""
    length, dropped = _canonicalise(data, begin, end, out, tables, False)
    if length == 0 and dropped:
        length, dropped = _canonicalise(data, begin, end, out, tables, True)
    for k in range(length, length + PADDING):
        out[k] = SPACE
    return length


@kernel
def _canonicalise(data: U8, begin: int, end: int, out: U8, tables: NfcTables, marks: bool) -> Any:
    """The same without padding, with zero-width ``marks`` or without; and whether any was set aside."""
    i, j, dropped = begin, 0, False
    while True:
        i, j, some = _copy(data, begin, i, end, out, j, tables, marks)
        dropped |= some
        if i >= end:
            break
        i, j = compose(data, begin, i, end, out, j, tables)
    if j > 0 and out[j - 1] == SPACE:
        j -= 1
    return j, dropped


@plain_kernel
def _copy(data: U8, begin: int, i: int, end: int, out: U8, j: int, tables: NfcTables, marks: bool) -> Any:
    """Write canonical text up to a code point that is to be composed; the next i and j, and whether marks were left."""
    dropped = False
    while i < end:
        if data[i] < 0x80 and tables.kinds[data[i]] & WHITE and (j == 0 or out[j - 1] == SPACE):
            i += 1
            continue
        while i + BLOCK < end and stops(data, i) == 0:
            space_block(data, i, out, j)
            i += BLOCK
            j += BLOCK
        done = min(BLOCK, end - i)
        if i + BLOCK < data.size:
            foreign, pairs = non_ascii_mask(data, i), white_pairs(data, i)
            space_block(data, i, out, j)
        else:
            # Nothing is promised behind the buffer: its last bytes are copied first.
            for k in range(done):
                out[j + k] = data[i + k]
            for k in range(j + done, j + done + BLOCK + 1):
                out[k] = 0
            foreign, pairs = non_ascii_mask(out, j), white_pairs(out, j)
            space_block(out, j, out, j)
        if pairs != 0:
            done = min(done, trailing_zeros(pairs) + 1)
        if foreign != 0:
            done = _copied(data, begin, i, end, done, foreign, tables)
        i += done
        j += done
        if i >= end or data[i] < 0x80:
            continue
        code, after = decode_any(data, i, end)
        kind = tables.kinds[code] if code >= 0 else np.uint8(0)
        if kind & WHITE:
            if j > 0 and out[j - 1] != SPACE:
                out[j] = SPACE
                j += 1
        elif kind & (ZERO_WIDTH | JOINER) and not marks and not (kind & JOINER and _joins(out, j, tables)):
            dropped = True
        elif kind & MAY_CHANGE and not stays(data, begin, i, code, tables):
            break
        else:
            for k in range(i, after):
                out[j] = data[k]
                j += 1
        i = after
    return i, j, dropped
