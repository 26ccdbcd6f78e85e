"""Splitting a text into words: white-space chunks, then marks stripped from both ends of each chunk."""

from __future__ import annotations

from typing import Any

from dq.text.jit import kernel
from dq.text.kernels_utf8 import char_width, decode, last_char
from dq.text.unicode import DIGIT, LETTER, MARK, SPACE

__all__ = ["split_document"]

INNER = LETTER | MARK | DIGIT


@kernel
def split_document(data: Any, start: Any, end: Any, classes: Any, unicode_words: Any, starts: Any, ends: Any) -> Any:
    """Write the byte spans of the words of ``data[start:end]``; return how many, or -1 where they do not fit."""
    count = 0
    at = start
    while at < end:
        if classes[decode(data, at)] & SPACE:
            at += char_width(data[at])
            continue
        stop = at
        while stop < end and not classes[decode(data, stop)] & SPACE:
            stop += char_width(data[stop])
        if count + stop - at > starts.shape[0]:
            return -1
        if unicode_words:
            count = split_chunk(data, at, stop, classes, starts, ends, count)
        else:
            starts[count] = at
            ends[count] = stop
            count += 1
        at = stop
    return count


@kernel
def split_chunk(data: Any, start: Any, end: Any, classes: Any, starts: Any, ends: Any, count: Any) -> Any:
    """Strip marks one by one from both ends of a chunk; what is left is one word."""
    while start < end and not classes[decode(data, start)] & INNER:
        starts[count] = start
        start += char_width(data[start])
        ends[count] = start
        count += 1
    inner_end = end
    while inner_end > start:
        last = last_char(data, inner_end)
        if classes[decode(data, last)] & INNER:
            break
        inner_end = last
    if inner_end > start:
        starts[count] = start
        ends[count] = inner_end
        count += 1
    while inner_end < end:
        starts[count] = inner_end
        inner_end += char_width(data[inner_end])
        ends[count] = inner_end
        count += 1
    return count
