"""Lines and paragraphs of texts: their hashes, and texts without some of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.dedup.kernels.inverted import find_value
from dq.text.kernels.jit import inlined, kernel
from dq.text.kernels.xxhash import xxhash64

__all__ = ["hash_units", "without_units"]

Array = np.ndarray[Any, Any]

NEWLINE = 10


@inlined
def _blank(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@kernel
def _next_unit(data: Array, begin: int, end: int, paragraphs: bool) -> Any:
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
def hash_units(data: Array, offsets: Array, paragraphs: bool, min_bytes: int, hashes: Array, documents: Array) -> int:
    """Hash of every unit of at least ``min_bytes``, with its document; returns how many.

    With empty outputs they are only counted.
    """
    count = 0
    for d in range(offsets.size - 1):
        at = offsets[d]
        while at < offsets[d + 1]:
            at, first, last = _next_unit(data, at, offsets[d + 1], paragraphs)
            if last - first < min_bytes:
                continue
            if hashes.size:
                hashes[count] = xxhash64(data, first, last, 0)
                documents[count] = d
            count += 1
    return count


@kernel
def without_units(
    data: Array,
    offsets: Array,
    paragraphs: bool,
    min_bytes: int,
    values: Array,
    table: Array,
    shift: int,
    out: Array,
    out_offsets: Array,
    removed: Array,
    times: Array,
    example: Array,
) -> None:
    """Copy the texts without the units whose hash is in ``values`` (a sorted table, see ``build_table``).

    ``removed`` (int64, (n, 2)) counts each document's removed units and bytes; ``times`` how often each value was met;
    ``example`` (int64, (values, 2)) where one stands in ``data``, if it was not known before.
    """
    written = 0
    for d in range(offsets.size - 1):
        out_offsets[d] = written
        removed[d, 0] = removed[d, 1] = 0
        at = offsets[d]
        while at < offsets[d + 1]:
            begin = at
            at, first, last = _next_unit(data, at, offsets[d + 1], paragraphs)
            found = -1
            if last - first >= min_bytes and values.size:
                found = find_value(xxhash64(data, first, last, 0), values, table, shift)
            if found >= 0:
                removed[d, 0] += 1
                removed[d, 1] += at - begin
                times[found] += 1
                if example[found, 1] == 0:
                    example[found, 0] = first
                    example[found, 1] = last
                continue
            for k in range(begin, at):
                out[written] = data[k]
                written += 1
    out_offsets[offsets.size - 1] = written
