"""One white-space chunk into words, by spaCy's procedure: cut affixes, look for special cases, then infixes.

Anything no rule names is not split: `-----`, `a_b`, `f(x)`, `1,000` stay whole. With spaCy's lists and special cases
the words are spaCy's; see ``docs/parity.md`` for how often.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U16, U64
from dq.text.kernels.affixes import (
    IS_SPECIAL,
    MAX_LEXICON_BYTES,
    MERGES,
    PAIRS_AT,
    infix_length,
    look_up_span,
    prefix_length,
    suffix_length,
)
from dq.text.kernels.bits import BYTES, TOP, load_u64, nonnegative, trailing_zeros, within
from dq.text.kernels.jit import helper, inlined, part
from dq.text.kernels.url import is_url
from dq.text.kernels.utf8 import char_width, decode

DOT = 0x2E
MAX_MERGED_WORDS = 14  # the special case of the most words has 13


@helper
def split_chunk(
    data: U8, start: int, end: int, roles: U16, classes: U8, lexicon: U64, starts: I64, ends: I64, count: int
) -> int:
    """Append the words of the chunk ``data[start:end]``; return the new count.

    Needs room for as many words as the chunk has bytes.
    """
    first = count
    top = count + end - start  # suffixes wait here: a chunk has no more words than bytes
    bottom = top
    last_size, special = -1, np.uint64(0)
    while start < end and end - start != last_size:
        start, end, count = nonnegative(start), nonnegative(end), nonnegative(count)
        special = _special(data, start, end, lexicon)
        if special:
            break
        last_size = end - start
        prefix = prefix_length(data, start, end, roles)
        if prefix:
            special = _special(data, start + prefix, end, lexicon)
        suffix = 0 if special else suffix_length(data, start + prefix, end, roles, lexicon)
        if suffix:
            top -= 1
            starts[top], ends[top] = end - suffix, end
            end -= suffix
            special = _special(data, start, end, lexicon)
            if special:
                break
        if prefix:
            starts[count], ends[count] = start, start + prefix
            count += 1
            start += prefix
        if special:
            break
    if special:
        count = append_pieces(special, start, starts, ends, count)
    elif start < end:
        count = _attach(data, start, end, roles, classes, starts, ends, count)
    while top < bottom:
        starts[count], ends[count] = starts[top], ends[top]
        count += 1
        top += 1
    if count - first > 1:
        count = _merge(data, lexicon, starts, ends, first, count)
    return count


@inlined
def _special(data: U8, start: int, end: int, lexicon: U64) -> np.uint64:
    """The lexicon's value of ``data[start:end]`` where that is a special case, else 0."""
    found = look_up_span(data, start, end, lexicon)
    return found if found & IS_SPECIAL else np.uint64(0)


@helper
def _attach(data: U8, start: int, end: int, roles: U16, classes: U8, starts: I64, ends: I64, count: int) -> int:
    """What is left between the affixes: an address, or words around infixes."""
    if has_byte(data, start, end, DOT) and is_url(data, start, end, roles, classes):
        starts[count], ends[count] = start, end
        return count + 1
    at, word, previous = start, start, -1
    while at < end:
        after = _skip_alphanumeric(data, at, end)  # most are, and none begins an infix
        if after > at:
            at, previous = after, int(data[after - 1])
            continue
        at, count = nonnegative(at), nonnegative(count)
        length = infix_length(data, at, end, previous, roles)
        if length and at > start:
            if at > word:
                starts[count], ends[count] = word, at
                count += 1
            starts[count], ends[count] = at, at + length
            count += 1
            word = at + length
        step = length if length else char_width(data[at])
        previous = decode(data, at)
        at += step
    if word < end:
        starts[count], ends[count] = word, end
        count += 1
    return count


@helper
def append_pieces(value: np.uint64, start: int, starts: I64, ends: I64, count: int) -> int:
    """Append the pieces of a special case, whose byte lengths are in ``value``."""
    for k in range(np.int64(value & np.uint64(7))):
        length = int(np.int64((value >> np.uint64(3 + 6 * k)) & np.uint64(63)))
        starts[count], ends[count] = start, start + length
        start += length
        count += 1
    return count


@part
def has_byte(data: U8, start: int, end: int, byte: int) -> bool:
    """Whether a byte occurs in ``data[start:end]``."""
    at = nonnegative(start)
    while at < end and data[at] != byte:
        at += 1
    return at < end


@part
def _skip_alphanumeric(data: U8, at: int, end: int) -> int:
    """The first byte from ``at`` on that is no ASCII letter or digit, or ``end``."""
    at = nonnegative(at)
    while at + 8 <= end:
        block = load_u64(data, at)
        folded = block | BYTES * np.uint64(0x20)
        others = ~(within(folded, 0x61, 0x7A) | within(block, 0x30, 0x39)) & TOP
        if others:
            return at + (trailing_zeros(others) >> 3)
        at += 8
    while at < end and (0x61 <= data[at] | 0x20 <= 0x7A or 0x30 <= data[at] <= 0x39):
        at += 1
    return at


@helper
def _merge(data: U8, lexicon: U64, starts: I64, ends: I64, first: int, count: int) -> int:
    """Special cases among the words of one chunk, such as the smiley in `text:)`: longest first from the left.

    A case never has more pieces than the words it replaces, so the words are moved up in one pass.
    """
    at, to = first, first
    while at < count:
        until, value = -1, np.uint64(0)
        if at + 1 < count:
            # Most pairs of words begin no special case: one bit tells, by their first bytes.
            pair = np.int64(data[starts[at]]) << 8 | np.int64(data[starts[at + 1]])
            if (lexicon[PAIRS_AT + (pair >> 6)] >> np.uint64(pair & 63)) & np.uint64(1):
                until, value = _longest_merge(data, lexicon, starts, ends, at, count)
        if until >= 0 and np.int64(value & np.uint64(7)) <= until + 1 - at:
            to = append_pieces(value, starts[at], starts, ends, to)
            at = until + 1
        else:
            starts[to], ends[to] = starts[at], ends[at]
            at += 1
            to += 1
    return to


@part
def _longest_merge(data: U8, lexicon: U64, starts: I64, ends: I64, at: int, count: int) -> tuple[int, np.uint64]:
    """The last word of the longest special case that begins with the word ``at``, or -1, and its value."""
    until, value = -1, np.uint64(0)
    for k in range(at + 1, min(count, at + MAX_MERGED_WORDS)):
        if ends[k] - starts[at] > MAX_LEXICON_BYTES:
            break
        found = look_up_span(data, starts[at], ends[k], lexicon)
        if found & MERGES:
            until, value = k, found
    return until, value
