"""Canonical text (`dq.dedup.normalization` says what that is): NFC, without zero-width marks, white space one space.

Nearly all text is canonical but for its white space, so 64 bytes at a time are copied and looked at; only what may
change is worked on, by code points. Every step is linear, whatever the number of marks on one letter. NFC as in Unicode
Standard Annex 15.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from dq.arrays import I32, I64, U8
from dq.dedup.kernels.minhash_vectors import non_ascii_mask
from dq.text.kernels.bits import trailing_zeros
from dq.text.kernels.blocks import BLOCK, VECTOR
from dq.text.kernels.jit import helper, inlined, kernel, plain_kernel
from dq.text.kernels.search import find_sorted
from dq.text.kernels.utf8 import decode_any, encode
from dq.text.kernels.vectors import ARRAY, Lanes, Memory, primitive

# What a code point is (CanonicalTables.kinds).
WHITE = 1
ZERO_WIDTH = 2  # set aside
JOINER = 4  # set aside unless it follows one that JOINS
COMPOSES = 8  # may be joined with what is before it (NFC_Quick_Check=Maybe)
CHANGES = 16  # NFC makes something else of it (NFC_Quick_Check=No)
ORDERED = 32  # has a combining class
DECOMPOSES = 64
JOINS = 128  # a joiner after it is seen

MAY_CHANGE = COMPOSES | CHANGES | ORDERED
SPACE = 0x20
PADDING = 2 * BLOCK
SORTED_IN_PLACE = 24  # marks on one letter; more are sorted by counting
ONE = np.uint64(1)
HANGUL, LEADING, VOWEL, TRAILING = 0xAC00, 0x1100, 0x1161, 0x11A7
LEADINGS, VOWELS, TRAILINGS = 19, 21, 28


class CanonicalTables(NamedTuple):
    """Tables by code point, and how code points come apart and together."""

    kinds: U8
    orders: U8
    """Combining classes."""
    decomposed: I32
    """Sorted: the code points that decompose, Hangul left out."""
    starts: I32
    """Where the decomposition of each begins in ``parts``, and the end."""
    parts: I32
    pairs: I64
    """Sorted: ``first << 21 | second`` of code points that are composed."""
    composites: I32
    """Of each pair."""


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
    """Room for the canonical text of a document: NFC can make twelve bytes of four (U+1D160), and blocks overhang."""
    return 3 * longest + PADDING


@helper
def _composite(first: int, second: int, tables: CanonicalTables) -> int:
    """What NFC makes of two adjacent code points, or -1."""
    if LEADING <= first < LEADING + LEADINGS and VOWEL <= second < VOWEL + VOWELS:
        return HANGUL + ((first - LEADING) * VOWELS + second - VOWEL) * TRAILINGS
    syllable = first - HANGUL
    if 0 <= syllable < LEADINGS * VOWELS * TRAILINGS and syllable % TRAILINGS == 0:
        if TRAILING < second < TRAILING + TRAILINGS:
            return first + second - TRAILING
        return -1
    place = find_sorted(np.int64(first) << 21 | np.int64(second), tables.pairs)
    return -1 if place < 0 else int(tables.composites[place])


@helper
def _before(data: U8, begin: int, at: int) -> int:
    """Where the code point before ``at`` begins (broken UTF-8: at most three bytes on)."""
    place = at - 1
    while place > begin and place > at - 4 and data[place] & 0xC0 == 0x80:
        place -= 1
    return place


@helper
def _stays(data: U8, begin: int, at: int, code: int, tables: CanonicalTables) -> bool:
    """Whether NFC leaves a mark where and as it is, after all before it: on the safe side."""
    kind = tables.kinds[code]
    if kind & CHANGES:
        return False
    if at == begin:
        return True
    before, _ = decode_any(data, _before(data, begin, at), at)
    if before < 0:
        return True
    order = tables.orders[before]
    if kind & COMPOSES:
        return order == 0 and tables.kinds[before] & DECOMPOSES == 0 and _composite(before, code, tables) < 0
    return order <= tables.orders[code]


@inlined
def _copied(data: U8, begin: int, i: int, end: int, limit: int, mask: np.uint64, tables: CanonicalTables) -> int:
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
        if kind & (WHITE | ZERO_WIDTH | JOINER) or (
            kind & MAY_CHANGE and not _stays(data, begin, i + at, code, tables)
        ):
            return at
        mask &= ~(((ONE << np.uint64(size)) - ONE) << np.uint64(at))
    return limit


@helper
def _joins(out: U8, j: int, tables: CanonicalTables) -> bool:
    """Whether a joiner after what is written is seen."""
    if j == 0:
        return False
    before, _ = decode_any(out, _before(out, 0, j), j)
    return before >= 0 and tables.kinds[before] & JOINS != 0


@kernel
def canonicalise(data: U8, begin: int, end: int, out: U8, tables: CanonicalTables) -> int:
    """Write the canonical text of ``data[begin:end]`` and two blocks of spaces to ``out``; returns its length."""
    length, dropped = _canonicalise(data, begin, end, out, tables, False)
    if length == 0 and dropped:
        length, dropped = _canonicalise(data, begin, end, out, tables, True)
    for k in range(length, length + PADDING):
        out[k] = SPACE
    return length


@kernel
def _canonicalise(data: U8, begin: int, end: int, out: U8, tables: CanonicalTables, marks: bool) -> Any:
    """The same without padding, with zero-width ``marks`` or without; and whether any was set aside."""
    i, j, dropped = begin, 0, False
    while True:
        i, j, some = _copy(data, begin, i, end, out, j, tables, marks)
        dropped |= some
        if i >= end:
            break
        i, j = _compose(data, begin, i, end, out, j, tables)
    if j > 0 and out[j - 1] == SPACE:
        j -= 1
    return j, dropped


@plain_kernel
def _copy(data: U8, begin: int, i: int, end: int, out: U8, j: int, tables: CanonicalTables, marks: bool) -> Any:
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
        elif kind & MAY_CHANGE and not _stays(data, begin, i, code, tables):
            break
        else:
            for k in range(i, after):
                out[j] = data[k]
                j += 1
        i = after
    return i, j, dropped


@kernel
def _compose(data: U8, begin: int, i: int, end: int, out: U8, j: int, tables: CanonicalTables) -> tuple[int, int]:
    """Write the letter before ``data[i]`` (taken back from ``out``) in NFC with all its marks; the next i and j."""
    at = i
    while at > begin:
        place = _before(data, begin, at)
        before, _ = decode_any(data, place, at)
        if before < 0 or tables.kinds[before] & (WHITE | ZERO_WIDTH | JOINER):
            break
        at = place
        if tables.kinds[before] & MAY_CHANGE == 0:
            break
    j -= i - at
    run = np.empty(32, np.int32)
    count = 0
    while at < end:
        code, after = decode_any(data, at, end)
        if code < 0 or (at > i and tables.kinds[code] & MAY_CHANGE == 0):
            break
        if count + 4 > run.size:
            longer = np.empty(2 * run.size, np.int32)
            longer[:count] = run[:count]
            run = longer
        count = _decompose(code, run, count, tables)
        at = after
    _order(run, count, tables.orders)
    for k in range(_recompose(run, count, tables)):
        j = encode(run[k], out, j)
    return at, j


@kernel
def _decompose(code: int, run: I32, count: int, tables: CanonicalTables) -> int:
    """Add the decomposition of a code point; returns the new count."""
    syllable = code - HANGUL
    if 0 <= syllable < LEADINGS * VOWELS * TRAILINGS:
        run[count] = LEADING + syllable // (VOWELS * TRAILINGS)
        run[count + 1] = VOWEL + syllable // TRAILINGS % VOWELS
        run[count + 2] = TRAILING + syllable % TRAILINGS
        return count + (2 if syllable % TRAILINGS == 0 else 3)
    place = find_sorted(code, tables.decomposed) if tables.kinds[code] & DECOMPOSES else -1
    if place < 0:
        run[count] = code
        return count + 1
    for k in range(tables.starts[place], tables.starts[place + 1]):
        run[count] = tables.parts[k]
        count += 1
    return count


@kernel
def _order(run: I32, count: int, orders: U8) -> None:
    """Sort every stretch of marks by combining class; equal ones stay in order."""
    k = 0
    while k < count:
        last = k
        while last < count and orders[run[last]] != 0:
            last += 1
        if last - k > SORTED_IN_PLACE:
            marks = run[k:last].copy()
            places = np.zeros(257, np.int64)
            for code in marks:
                places[orders[code] + 1] += 1
            for order in range(256):
                places[order + 1] += places[order]
            for code in marks:
                run[k + places[orders[code]]] = code
                places[orders[code]] += 1
        else:
            for m in range(k + 1, last):
                code, n = run[m], m - 1
                while n >= k and orders[run[n]] > orders[code]:
                    run[n + 1] = run[n]
                    n -= 1
                run[n + 1] = code
        k = last + 1


@kernel
def _recompose(run: I32, count: int, tables: CanonicalTables) -> int:
    """Compose ordered code points in place; returns how many are left."""
    kept, starter, last = 0, -1, 0
    for k in range(count):
        code = int(run[k])
        order = int(tables.orders[code])
        if starter >= 0 and (kept - 1 == starter or (last != 0 and last < order)):
            made = _composite(int(run[starter]), code, tables)
            if made >= 0:
                run[starter] = made
                continue
        if order == 0:
            starter = kept
        last = order
        run[kept] = code
        kept += 1
    return kept
