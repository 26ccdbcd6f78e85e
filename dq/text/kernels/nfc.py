"""NFC (Unicode Standard Annex 15) in linear time, whatever the number of marks on one letter.

Nearly all text is in NFC already, so 64 bytes at a time are searched for the first bytes of what may change, and only
that is worked on, by code points.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from dq.arrays import I32, I64, U8
from dq.text.kernels.bits import trailing_zeros
from dq.text.kernels.blocks import VECTOR
from dq.text.kernels.jit import helper, inlined, kernel, plain_kernel
from dq.text.kernels.scan import low_bits
from dq.text.kernels.search import find_sorted
from dq.text.kernels.utf8 import decode_any, encode
from dq.text.kernels.vectors import ARRAY, Memory, primitive
from dq.text.kernels.vectors import I64 as WIDE

# What a code point is (NfcTables.kinds). Bits 1, 2 and 4 are free for those who leave out or replace characters as they
# write: letters are not looked for before one of OWN.
OWN = 7
COMPOSES = 8  # may be joined with what is before it (NFC_Quick_Check=Maybe)
CHANGES = 16  # NFC makes something else of it (NFC_Quick_Check=No)
ORDERED = 32  # has a combining class
DECOMPOSES = 64

MAY_CHANGE = COMPOSES | CHANGES | ORDERED
SORTED_IN_PLACE = 24  # marks on one letter; more are sorted by counting
MOST_BYTES = 3  # of NFC for a byte: twelve of four (U+1D160)
ONE = np.uint64(1)
HANGUL, LEADING, VOWEL, TRAILING = 0xAC00, 0x1100, 0x1161, 0x11A7
LEADINGS, VOWELS, TRAILINGS = 19, 21, 28

# First byte of a code point that may change, and from where to where its second is.
TWO_BYTES = (
    (0xCE, 0x87, 0x87),
    (0xD2, 0x83, 0x87),
    (0xD7, 0x81, 0x87),
    (0xD8, 0x90, 0x9A),
    (0xD9, 0x8B, 0xB0),
    (0xDB, 0x96, 0xAD),
    (0xE1, 0x80, 0x87),
    (0xE1, 0x8D, 0xB7),
    (0xE1, 0xBD, 0xBF),
    (0xE2, 0x83, 0x8C),
    (0xE2, 0xAB, 0xB7),
    (0xEA, 0x99, 0xAF),
    (0xEF, 0xA4, 0xAD),
    (0xEF, 0xB8, 0xB8),
    (0xF0, 0x90, 0x9E),
    (0xF0, 0xAF, 0xAF),
)
# After 0xE0 the same of the second and the third byte: vowel signs that are composed, and Thai and Lao.
INDIA = (
    (0xA6, 0xA6, 0xBB, 0xBE),
    (0xA8, 0xA8, 0xB3, 0xB6),
    (0xAC, 0xAE, 0xBB, 0xBE),
    (0xB3, 0xB3, 0x82, 0x82),
    (0xB4, 0xB4, 0xBB, 0xBE),
    (0xB7, 0xB7, 0x8A, 0x8A),
    (0xB8, 0xB8, 0xB8, 0xBA),
    (0xB9, 0xB9, 0x88, 0x8B),
    (0xBA, 0xBA, 0xB8, 0xBA),
    (0xBB, 0xBB, 0x88, 0x8B),
)


class NfcTables(NamedTuple):
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
def _suspects(builder: Any, data: Memory, index: Any) -> Any:
    """Where code points of MAY_CHANGE may begin in 64 bytes, white space left out; reads 66."""
    here, after, third = (data.lanes(builder.add(index, WIDE(k)), VECTOR) for k in range(3))
    found = here.within(0xCC, 0xCD) | here.equals(0xD6) | here.within(0xDC, 0xDF)
    for first, low, high in TWO_BYTES:
        found |= here.equals(first) & after.within(low, high)
    # Blocks from Devanagari to Malayalam are two of these each; what may change is behind the vowel signs.
    signs = (after & 1).equals(1) & after.within(0xA5, 0xB7) & third.within(0x8D, 0x9F)
    india = signs | third.equals(0xBC) | after.within(0xA0, 0xA3) | after.within(0xBC, 0xBF)
    for first, last, low, high in INDIA:
        india |= after.within(first, last) & third.within(low, high)
    kana = (after.equals(0x82) & third.within(0x99, 0x9A)) | (after.equals(0x80) & third.within(0xAA, 0xAF))
    return (found | (here.equals(0xE0) & india) | (here.equals(0xE3) & kana)).mask()


@helper
def _composite(first: int, second: int, tables: NfcTables) -> int:
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


@inlined
def before(data: U8, begin: int, at: int) -> int:
    """Where the code point before ``at`` begins (broken UTF-8: at most three bytes on)."""
    place = at - 1
    while place > begin and place > at - 4 and data[place] & 0xC0 == 0x80:
        place -= 1
    return place


@inlined
def stays(data: U8, begin: int, at: int, code: int, tables: NfcTables) -> bool:
    """Whether NFC leaves a mark where and as it is, after all before it: on the safe side."""
    kind = tables.kinds[code]
    if kind & CHANGES:
        return False
    if at == begin:
        return True
    last, _ = decode_any(data, before(data, begin, at), at)
    if last < 0:
        return True
    order = tables.orders[last]
    if kind & COMPOSES:
        return order == 0 and tables.kinds[last] & DECOMPOSES == 0 and _composite(last, code, tables) < 0
    return order <= tables.orders[code]


@kernel
def compose(data: U8, begin: int, i: int, end: int, out: U8, j: int, tables: NfcTables) -> tuple[int, int]:
    """Write the letter before ``data[i]`` (taken back from ``out``) in NFC with all its marks; the next i and j."""
    at = i
    while at > begin:
        place = before(data, begin, at)
        code, _ = decode_any(data, place, at)
        if code < 0 or tables.kinds[code] & OWN:
            break
        at = place
        if tables.kinds[code] & MAY_CHANGE == 0:
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
def _decompose(code: int, run: I32, count: int, tables: NfcTables) -> int:
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
def _recompose(run: I32, count: int, tables: NfcTables) -> int:
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


@plain_kernel
def next_change(data: U8, begin: int, at: int, end: int, tables: NfcTables) -> int:
    """The next code point from ``at`` on that NFC may move or make another, on the safe side; ``end`` for none.

    The text begins at ``begin`` and is valid.
    """
    while at < end:
        found = low_bits(end - at)
        if at + 66 <= data.shape[0]:
            found &= _suspects(data, at)
        while found:
            place = at + trailing_zeros(found)
            found &= found - ONE
            if data[place] & 0xC0 != 0x80:
                code, _ = decode_any(data, place, end)
                if tables.kinds[code] & MAY_CHANGE and not stays(data, begin, place, code, tables):
                    return place
        at += 64
    return end


@kernel
def needs_composing(data: U8, offsets: I64, rows: tuple[int, int], tables: NfcTables) -> bool:
    """Whether one of these texts may not be in NFC."""
    for row in range(rows[0], rows[1]):
        if next_change(data, offsets[row], offsets[row], offsets[row + 1], tables) < offsets[row + 1]:
            return True
    return False


@kernel
def compose_rows(data: U8, offsets: I64, rows: tuple[int, int], tables: NfcTables, out: U8, bounds: I64) -> None:
    """Write the texts of some rows in NFC to ``out`` and where they lie to ``bounds`` (a number a row of the batch).

    out: room for MOST_BYTES times the bytes of the rows.
    """
    to = 0
    bounds[rows[0]] = 0
    for row in range(rows[0], rows[1]):
        begin, end = offsets[row], offsets[row + 1]
        at = begin
        while at < end:
            place = next_change(data, begin, at, end, tables)
            for k in range(at, place):
                out[to] = data[k]
                to += 1
            at = place
            if place < end:
                at, to = compose(data, begin, place, end, out, to, tables)
        bounds[row + 1] = to
