"""Repeated pieces of texts, compared byte for byte; what of them is cut; and texts without it."""

from __future__ import annotations

from typing import NamedTuple

from dq.arrays import I32, I64, U8
from dq.text.kernels.bits import load_u64, nonnegative
from dq.text.kernels.jit import inlined, kernel

CHARACTERS, WORDS, LINES = range(3)
NEWLINE, SPACE = 10, 32
DOCUMENT, BEGIN, END, KEPT_DOCUMENT, KEPT_BEGIN, CUT_BEGIN, CUT_END = range(7)


class Places(NamedTuple):
    """All texts, and how they are addressed: byte by byte in the order in which documents are kept."""

    data: U8
    """Of all texts, in the order of the corpus."""
    offsets: I64
    """(n + 1,) into them."""
    addresses: I64
    """Of the first byte of each text."""
    sorted_addresses: I64
    by_address: I64
    """Documents in the order of their addresses."""


class FirstPlaces(NamedTuple):
    """Where the windows of some blocks stand first."""

    windows: I32
    """Of each block."""
    several: U8
    """Whether a block's windows are found one by one, in ``by_window``; else with the block."""
    by_block: I64
    """Addresses."""
    by_window: I64


@inlined
def _equal_bytes(data: U8, one: int, other: int, size: int) -> bool:
    """Whether so many bytes from two places on are equal."""
    count = 0
    while count + 8 <= size:
        if load_u64(data, nonnegative(one + count)) != load_u64(data, nonnegative(other + count)):
            return False
        count += 8
    while count < size and data[one + count] == data[other + count]:
        count += 1
    return count == size


@inlined
def _document_at(address: int, addresses: I64) -> int:
    """The last place in sorted addresses that is not beyond this one; of equal ones the last, which has text."""
    low, high = 0, addresses.size
    while low < high:
        middle = (low + high) // 2
        if addresses[middle] <= address:
            low = middle + 1
        else:
            high = middle
    return low - 1


@kernel
def find_pieces(places: Places, bounds: tuple[int, int], firsts: FirstPlaces, window: int, out: I64) -> int:
    """Pieces of texts that stand earlier, of a window or more each, that hold every window that does.

    A piece begins with a window that stands earlier, in a text of a lower address, or in this one where it ends before
    the window begins, at its first occurrence; and goes on as long as the bytes behind both are equal and the
    windows stand first in that document.

    Args:
        places: of all texts.
        bounds: first document, and one past the last.
        firsts: of the blocks of these documents.
        window: bytes.
        out: (room, 7), rows of DOCUMENT, BEGIN, END, KEPT_DOCUMENT, KEPT_BEGIN.

    Returns:
        How many pieces there are, of which ``out`` holds as many as it can; -1 where windows of one hash differ.
    """
    data, offsets = places.data, places.offsets
    block = of_windows = count = 0
    for d in range(bounds[0], bounds[1]):
        length, address = offsets[d + 1] - offsets[d], places.addresses[d]
        at = 0
        kept, low, high = -1, 0, 0  # of the piece that goes on: its document there, and the bounds of its addresses
        here = there = 0  # the bytes behind it, and behind what it repeats
        while at < length - window + 1:
            for k in range(firsts.windows[block]):
                start = at + k
                first = firsts.by_window[of_windows + k] if firsts.several[block] else firsts.by_block[block] + k
                if first == address + start:
                    kept = -1
                    continue
                if kept >= 0 and low <= first < high and there < offsets[kept + 1] and data[here] == data[there]:
                    here += 1
                    there += 1
                    if count <= out.shape[0]:
                        out[count - 1, END] += 1
                    continue
                rank = _document_at(first, places.sorted_addresses)
                kept, low = places.by_address[rank], places.sorted_addresses[rank]
                high = low + offsets[kept + 1] - offsets[kept]
                here, there = offsets[d] + start, offsets[kept] + first - low
                if there + window > offsets[kept + 1] or not _equal_bytes(data, here, there, window):
                    return -1
                if kept == d and first - low + window > start:  # it would be cut for its own sake
                    kept = -1
                    continue
                if count < out.shape[0]:
                    out[count, DOCUMENT], out[count, BEGIN], out[count, END] = d, start, start + window
                    out[count, KEPT_DOCUMENT], out[count, KEPT_BEGIN] = kept, first - low
                count += 1
                here += window
                there += window
            of_windows += firsts.windows[block] * firsts.several[block]
            at += firsts.windows[block]
            block += 1
    return count


@inlined
def _is_bound(data: U8, begin: int, end: int, at: int, kind: int) -> bool:
    """Whether a text may be cut before the byte at ``at``."""
    if at in (begin, end):
        return True
    before = data[at - 1]
    if kind == LINES:
        return before == NEWLINE
    if kind == WORDS:
        return before == SPACE or NEWLINE - 1 <= before < NEWLINE + 4
    return data[at] & 0xC0 != 0x80


@kernel
def bound_cuts(data: U8, offsets: I64, pieces: I64, kind: int) -> None:
    """What is cut of each piece: its part of what they cover together, without what stands before a bound.

    ``pieces`` has its rows in order; CUT_BEGIN and CUT_END are written, and are equal where nothing of it is cut.
    """
    i = 0
    while i < pieces.shape[0]:
        d, stop, last = pieces[i, DOCUMENT], pieces[i, END], i + 1
        while last < pieces.shape[0] and pieces[last, DOCUMENT] == d and pieces[last, BEGIN] <= stop:
            stop = pieces[last, END]
            last += 1
        text, end = offsets[d], offsets[d + 1]
        low, high = text + pieces[i, BEGIN], text + stop
        while low < high and not _is_bound(data, text, end, low, kind):
            low += 1
        while high > low and not _is_bound(data, text, end, high, kind):
            high -= 1
        at = low - text
        for k in range(i, last):
            pieces[k, CUT_BEGIN] = at
            at = max(at, min(pieces[k, END], high - text))
            pieces[k, CUT_END] = at
        i = last


@kernel
def without_cuts(data: U8, offsets: I64, cuts: I64, rest: U8, ends: I64) -> None:
    """Copy texts without their cuts.

    Args:
        data: bytes of the texts.
        offsets: (n + 1,) into them.
        cuts: (m, 3) in order: text, begin, end.
        rest: room for the copies.
        ends: (n + 1,) offsets of the copies.
    """
    row = written = 0
    for d in range(offsets.size - 1):
        ends[d], at = written, offsets[d]
        last = False
        while not last:
            last = row == cuts.shape[0] or cuts[row, 0] != d
            stop = offsets[d + 1] if last else offsets[d] + cuts[row, 1]
            for k in range(at, stop):
                rest[written] = data[k]
                written += 1
            if not last:
                at = offsets[d] + cuts[row, 2]
                row += 1
    ends[offsets.size - 1] = written
