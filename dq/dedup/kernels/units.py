"""Lines and paragraphs of texts: their hashes, and texts without some of them."""

from __future__ import annotations

from typing import NamedTuple

from dq.arrays import I64, U8, U64
from dq.dedup.kernels.inverted import HashTable, find_value
from dq.text.kernels.jit import inlined, kernel
from dq.text.kernels.xxhash import xxhash64

NEWLINE = 10


class Units(NamedTuple):
    """Which pieces of a text are compared."""

    paragraphs: bool
    """Paragraphs between blank lines, not lines."""
    min_bytes: int
    """Shorter ones are left alone."""


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
    """(values, 2): where one stands in the data; (0, 0) for none."""


@inlined
def _blank(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@kernel
def _next_unit(data: U8, begin: int, end: int, paragraphs: bool) -> tuple[int, int, int]:
    """End of the unit that begins at ``begin`` (its separators included), and the bounds of its text without blanks."""
    stop = begin
    while stop < end:
        while stop < end and data[stop] != NEWLINE:
            stop += 1
        if stop < end:
            stop += 1
        if not paragraphs:
            break
        # A paragraph goes on up to a line of blanks; blank lines behind it belong to it.
        ended = False
        while stop < end:
            line = stop
            while line < end and data[line] != NEWLINE and _blank(data[line]):
                line += 1
            if line < end and data[line] != NEWLINE:
                break
            ended = True
            stop = min(end, line + 1)
        if ended:
            break
    first, last = begin, stop
    while first < last and _blank(data[first]):
        first += 1
    while last > first and _blank(data[last - 1]):
        last -= 1
    return stop, first, last


@kernel
def hash_units(data: U8, offsets: I64, units: Units, hashes: U64, documents: I64) -> int:
    """Hash of every unit, with its document; returns how many. With empty outputs they are only counted."""
    count = 0
    for d in range(offsets.size - 1):
        at = offsets[d]
        while at < offsets[d + 1]:
            at, first, last = _next_unit(data, at, offsets[d + 1], units.paragraphs)
            if last - first < units.min_bytes:
                continue
            if hashes.size:
                hashes[count] = xxhash64(data, first, last, 0)
                documents[count] = d
            count += 1
    return count


@kernel
def without_units(data: U8, offsets: I64, units: Units, table: HashTable, rest: Rest, met: Met) -> None:
    """Copy the texts without the units whose hash is in the table; ``met`` gains how often each was there."""
    written = 0
    for d in range(offsets.size - 1):
        rest.offsets[d] = written
        rest.removed[d, 0] = rest.removed[d, 1] = 0
        at = offsets[d]
        while at < offsets[d + 1]:
            begin = at
            at, first, last = _next_unit(data, at, offsets[d + 1], units.paragraphs)
            found = -1
            if last - first >= units.min_bytes and table.values.size:
                found = find_value(xxhash64(data, first, last, 0), table)
            if found >= 0:
                rest.removed[d, 0] += 1
                rest.removed[d, 1] += at - begin
                met.times[found] += 1
                if met.example[found, 1] == 0:
                    met.example[found, 0] = first
                    met.example[found, 1] = last
                continue
            for k in range(begin, at):
                rest.data[written] = data[k]
                written += 1
    rest.offsets[offsets.size - 1] = written
