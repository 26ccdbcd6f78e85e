"""Texts as their signals see them: how lines end and which blanks are in them leaves no trace.

Blocks of 64 bytes are searched for what may have to change, which in most text is nothing, and runs between such places
are copied whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from dq.arrays import I64, U8
from dq.text.kernels.bits import trailing_zeros
from dq.text.kernels.blocks import VECTOR
from dq.text.kernels.jit import helper, inlined, part, plain_kernel
from dq.text.kernels.scan import low_bits
from dq.text.kernels.utf8 import char_width, decode
from dq.text.kernels.vectors import ARRAY, Memory, primitive
from dq.text.kernels.vectors import I64 as WIDE

NEWLINE, RETURN, BLANK = 0x0A, 0x0D, 0x20
# What a character is here (the table of `tidy_rows`).
IS_SPACE, IS_BREAK, IS_INVISIBLE = 1, 2, 4
ONE = np.uint64(1)


@primitive(types.uint64, ARRAY, types.int64)
def _suspects(builder: Any, data: Memory, index: Any) -> Any:
    """Where blanks, line ends and invisible characters may begin in 64 bytes, plain ones left out; reads 65."""
    here, after = data.lanes(index, VECTOR), data.lanes(builder.add(index, WIDE(1)), VECTOR)
    ascii_ones = here.within(0x0B, 0x0D) | here.equals(0x09) | here.within(0x1C, 0x1F)
    before_newline = here.equals(BLANK) & after.equals(NEWLINE)
    two_bytes = here.equals(0xC2) & (after.equals(0x85) | after.equals(0xA0) | after.equals(0xAD))
    general = here.equals(0xE2) & after.within(0x80, 0x81)
    others = (here.equals(0xE3) & after.equals(0x80)) | (here.equals(0xE1) & after.equals(0x9A))
    mark = here.equals(0xEF) & after.equals(0xBB)
    return (ascii_ones | before_newline | two_bytes | general | others | mark).mask()


@plain_kernel
def tidy_rows(data: U8, offsets: I64, rows: tuple[int, int], kinds: U8, tail: U8, out: U8, bounds: I64) -> None:
    """Write the tidy texts of some rows to ``out`` and where they lie to ``bounds`` (a number a row of the batch).

    kinds: what each character is, by code point. tail: 66 bytes of scratch. out: room for the bytes of the rows.
    """
    to = 0
    bounds[rows[0]] = 0
    for row in range(rows[0], rows[1]):
        to = _tidy(data, offsets[row], offsets[row + 1], kinds, tail, out, to)
        bounds[row + 1] = to


@part
def _tidy(data: U8, start: int, end: int, kinds: U8, tail: U8, out: U8, first: int) -> int:
    """Write one text to ``out[first:]``; returns its end there."""
    while start < end and _kind(data, start, kinds):
        start += char_width(data[start])
    at, to = start, first  # the next byte that is not yet written, and where it goes
    block = start
    while block < end:
        if block + 65 <= data.shape[0]:
            found = _suspects(data, block)
        else:
            for k in range(65):
                tail[k] = data[block + k] if block + k < end else NEWLINE
            found = _suspects(tail, np.int64(0))
        found &= low_bits(end - block)
        while found:
            place = block + trailing_zeros(found)
            found &= found - ONE
            kind = _kind(data, place, kinds)
            if kind == 0:
                continue
            if place >= at:
                to = _copied(data, at, place, out, to)
                at = place + char_width(data[place])
                if kind & IS_BREAK:
                    at = _past_break(data, place, end, kinds)
                    to = _without_blanks(out, first, to)
                    out[to] = NEWLINE
                    to += 1
                elif at < end and data[at] == NEWLINE:
                    to = _without_blanks(out, first, to)
                elif kind & IS_SPACE:
                    out[to] = BLANK
                    to += 1
        block += 64
    to = _copied(data, at, end, out, to)
    while to > first and (out[to - 1] == BLANK or out[to - 1] == NEWLINE):
        to -= 1
    return to


@inlined
def _kind(data: U8, at: int, kinds: U8) -> int:
    """What a character is: bits of white space, of a line end, of the invisible ones; 0 for every other."""
    return kinds[decode(data, at)]


@helper
def _past_break(data: U8, at: int, end: int, kinds: U8) -> int:
    """What is behind the line end at ``at``. A return with a newline is one; what shows nothing does not part them."""
    after = at + char_width(data[at])
    if data[at] != RETURN:
        return after
    newline = after
    while newline < end and _kind(data, newline, kinds) & IS_INVISIBLE:
        newline += char_width(data[newline])
    return newline + 1 if newline < end and data[newline] == NEWLINE else after


@inlined
def _copied(data: U8, start: int, end: int, out: U8, to: int) -> int:
    """Copy bytes to ``out[to:]``; returns their end there."""
    for k in range(end - start):
        out[to + k] = data[start + k]
    return to + (end - start if end > start else 0)


@inlined
def _without_blanks(out: U8, first: int, to: int) -> int:
    """The end of what is written, its last blanks left out."""
    while to > first and out[to - 1] == BLANK:
        to -= 1
    return to


@helper
def next_line(data: U8, start: int, end: int, kinds: U8) -> tuple[int, int, bool]:
    """Where the line at ``start`` ends and the next begins, and whether anything in it is seen.

    A text has the lines of its tidy text that are not blank, in the same order.
    """
    stop, seen = start, False
    while stop < end:
        kind = _kind(data, stop, kinds)
        if kind & IS_BREAK:
            break
        seen |= kind == 0
        stop += char_width(data[stop])
    return stop, _past_break(data, stop, end, kinds) if stop < end else stop, seen
