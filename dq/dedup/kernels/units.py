"""Lines and paragraphs of texts: their hashes, and texts without some of them.

What is compared are the units of tidy texts (`dq.text.tidy`); texts have the same ones, in the same order, blank ones
aside, so that they are cut as they are written.
"""

from __future__ import annotations

from typing import NamedTuple

from dq.arrays import I64, U8, U64
from dq.dedup.kernels.inverted import HashTable, find_value
from dq.text.kernels.jit import kernel
from dq.text.kernels.tidy import BLANK, NEWLINE, next_line
from dq.text.kernels.xxhash import xxhash64


class Units(NamedTuple):
    """Which pieces of a text are compared."""

    paragraphs: bool
    """Paragraphs between blank lines, not lines."""
    min_bytes: int
    """Shorter ones are left alone."""
    kinds: U8
    """What every character is, by code point (`dq.text.kernels.tidy`)."""


class Rest(NamedTuple):
    """Room for what is left of texts."""

    data: U8
    """As many bytes as the texts have."""
    offsets: I64
    """(n + 1,)."""
    removed: I64
    """(n, 2): units and bytes that went from each document."""


class Met(NamedTuple):
    """What became of each value of a table."""

    times: I64
    """How often it was met."""
    example: I64
    """(values, 2): where one stands in the tidy texts; (0, 0) for none."""


class Batch(NamedTuple):
    """Texts as they are written, and tidy."""

    data: U8
    offsets: I64
    tidy: U8
    tidy_offsets: I64


@kernel
def _next_unit(data: U8, begin: int, end: int, units: Units) -> tuple[int, bool]:
    """End of the unit that begins at ``begin``, its separators included, and whether anything in it is seen."""
    _, stop, seen = next_line(data, begin, end, units.kinds)
    ended = False  # a paragraph goes on up to a blank line; blank lines behind it belong to it
    while units.paragraphs and stop < end:
        _, after, more = next_line(data, stop, end, units.kinds)
        if ended and more:
            break
        ended |= not more
        seen |= more
        stop = after
    return stop, seen


@kernel
def _next_tidy(tidy: U8, begin: int, end: int, units: Units) -> tuple[int, int, int]:
    """End of the next unit of a tidy text that is not blank, and the bounds of its text without blanks at its ends."""
    stop, seen = _next_unit(tidy, begin, end, units)
    while not seen:
        begin = stop
        stop, seen = _next_unit(tidy, begin, end, units)
    first, last = begin, stop
    while tidy[first] in (BLANK, NEWLINE):
        first += 1
    while tidy[last - 1] in (BLANK, NEWLINE):
        last -= 1
    return stop, first, last


@kernel
def hash_units(tidy: U8, offsets: I64, units: Units, hashes: U64, documents: I64) -> int:
    """Hash of every unit of tidy texts, with its document; returns how many.

    With empty outputs they are only counted.
    """
    count = 0
    for d in range(offsets.size - 1):
        at = offsets[d]
        while at < offsets[d + 1]:
            at, first, last = _next_tidy(tidy, at, offsets[d + 1], units)
            if last - first < units.min_bytes:
                continue
            if hashes.size:
                hashes[count] = xxhash64(tidy, first, last, 0)
                documents[count] = d
            count += 1
    return count


@kernel
def without_units(batch: Batch, units: Units, table: HashTable, rest: Rest, met: Met) -> None:
    """Copy the texts without the units whose hash is in the table; ``met`` gains how often each was there."""
    data, written = batch.data, 0
    for d in range(batch.offsets.size - 1):
        rest.offsets[d] = written
        rest.removed[d, 0] = rest.removed[d, 1] = 0
        at, tidy_at = batch.offsets[d], batch.tidy_offsets[d]
        while at < batch.offsets[d + 1]:
            begin, found = at, -1
            at, seen = _next_unit(data, at, batch.offsets[d + 1], units)
            if seen:
                tidy_at, first, last = _next_tidy(batch.tidy, tidy_at, batch.tidy_offsets[d + 1], units)
                if last - first >= units.min_bytes and table.values.size:
                    found = find_value(xxhash64(batch.tidy, first, last, 0), table)
                if found >= 0 and met.example[found, 1] == 0:
                    met.example[found, 0] = first
                    met.example[found, 1] = last
            if found >= 0:
                rest.removed[d, 0] += 1
                rest.removed[d, 1] += at - begin
                met.times[found] += 1
                continue
            for k in range(begin, at):
                rest.data[written] = data[k]
                written += 1
    rest.offsets[batch.offsets.size - 1] = written
