"""The prefix, suffix and infix rules of spaCy's English as functions over bytes: each gives a length or a span.

Regular expressions become comparisons of the characters around one place. A leftmost search for a suffix that must
end at the end finds the longest one; the prefix rules are tried in spaCy's order.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import U8, U16, U64
from dq.text.kernels.bits import unlikely
from dq.text.kernels.flags import (
    ALPHA,
    CURRENCY,
    DOT_AFTER,
    ICON,
    LOWER_OR_UNCASED,
    PREFIX,
    QUOTE,
    SUFFIX,
    UPPER_OR_UNCASED,
)
from dq.text.kernels.hash import hash_bytes
from dq.text.kernels.jit import helper, inlined
from dq.text.kernels.utf8 import char_width, decode, last_char

DOT, DOLLAR, PLUS, HYPHEN, TILDE = 0x2E, 0x24, 0x2B, 0x2D, 0x7E
ELLIPSIS, EN_DASH, EM_DASH, QUOTE_RIGHT, DEGREE = 0x2026, 0x2013, 0x2014, 0x2019, 0xB0
MAX_LEXICON_BYTES = 40  # the longest special case has 34
MAX_UNIT_CHARS = 6
# The lexicon is one uint64 array: SLOTS keys, SLOTS values, the bits of a Bloom filter of the keys, and a bit for every
# pair of bytes: whether a special case that MERGES begins with the first and has the second after it.
SLOTS, BLOOM_BITS = 8192, 32768
PAIRS_AT = 2 * SLOTS + BLOOM_BITS // 64
LEXICON_SIZE = PAIRS_AT + 65536 // 64
IS_SPECIAL, IS_UNIT, MERGES = np.uint64(1 << 40), np.uint64(1 << 41), np.uint64(1 << 42)


@inlined
def look_up(key: np.uint64, lexicon: U64) -> np.uint64:
    """The lexicon's value of a hash: uint64, 0 where it is not in the table."""
    bit = (key >> np.uint64(32)) & np.uint64(BLOOM_BITS - 1)
    if unlikely((lexicon[np.uint64(2 * SLOTS) + (bit >> np.uint64(6))] >> (bit & np.uint64(63))) & np.uint64(1) != 0):
        return _look_up_slot(key, lexicon)
    return np.uint64(0)


@helper
def _look_up_slot(key: np.uint64, lexicon: U64) -> np.uint64:
    slot = key & np.uint64(SLOTS - 1)
    while lexicon[np.uint64(SLOTS) + slot]:
        if lexicon[slot] == key:
            return lexicon[np.uint64(SLOTS) + slot]
        slot = (slot + np.uint64(1)) & np.uint64(SLOTS - 1)
    return np.uint64(0)


@inlined
def look_up_span(data: U8, start: int, end: int, lexicon: U64) -> np.uint64:
    """The lexicon's value of ``data[start:end]``."""
    if end - start > MAX_LEXICON_BYTES or end <= start:
        return np.uint64(0)
    return look_up(hash_bytes(data, start, end), lexicon)


@helper
def is_unit(data: U8, start: int, end: int, lexicon: U64) -> bool:
    """Whether ``data[start:end]`` is a unit of measurement."""
    return (look_up_span(data, start, end, lexicon) & IS_UNIT) != 0


@inlined
def _is_digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39


@helper
def prefix_length(data: U8, start: int, end: int, roles: U16) -> int:
    """Bytes to cut off at the start of ``data[start:end]``; 0 for none."""
    code = decode(data, start)
    if roles[code] & (PREFIX | ICON):
        if code == PLUS and start + 1 < end and _is_digit(data[start + 1]):
            return 0
        return char_width(data[start])
    if code == DOT:
        stop = start
        while stop < end and data[stop] == DOT:
            stop += 1
        return stop - start if stop - start > 1 else 0
    if code in (0x41, 0x43) and start + 1 < end and data[start + 1] == DOLLAR:  # A$ C$
        return 2
    if code == 0x55 and start + 2 < end and data[start + 1] == 0x53 and data[start + 2] == DOLLAR:  # US$
        return 3
    return 0


@helper
def suffix_length(data: U8, start: int, end: int, roles: U16, lexicon: U64) -> int:
    """Bytes to cut off at the end of ``data[start:end]``; 0 for none."""
    if start >= end:
        return 0
    last = last_char(data, end)
    code = decode(data, last)
    role = roles[code]
    if role & (SUFFIX | ICON):
        if code == ELLIPSIS and last > start:
            before = last_char(data, last)
            if before >= start and decode(data, before) == ELLIPSIS:
                return end - before
        return end - last
    if last == start:
        return 0
    if code == DOT:
        return _dot_suffix_length(data, start, end, roles)
    before = last_char(data, last)
    previous = decode(data, before)
    if code in (0x53, 0x73) and previous in (0x27, QUOTE_RIGHT):  # 's 'S
        return end - before
    if role & CURRENCY:
        return _currency_length(data, start, last, end)
    if code == PLUS:
        return 1 if _is_digit(previous) else 0
    at, chars = last, 1
    while at > start and chars <= MAX_UNIT_CHARS and not _is_digit(data[at - 1]):
        at = last_char(data, at)
        chars += 1
    if at > start and _is_digit(data[at - 1]) and is_unit(data, at, end, lexicon):
        return end - at
    return 0


@helper
def _dot_suffix_length(data: U8, start: int, end: int, roles: U16) -> int:
    """A run of dots; or one dot after a small letter, a digit, a mark, two capitals, or a degree."""
    at = end - 1
    while at > start and data[at - 1] == DOT:
        at -= 1
    if end - at > 1:
        return end - at
    before = last_char(data, at)
    role = roles[decode(data, before)]
    if role & DOT_AFTER:
        return 1
    if before > start:
        earlier = decode(data, last_char(data, before))
        if role & UPPER_OR_UNCASED and roles[earlier] & UPPER_OR_UNCASED:
            return 1
        if earlier == DEGREE and data[before] in (0x43, 0x46, 0x4B):  # °C. °F. °K.; small letters are above
            return 1
    return 0


@helper
def _currency_length(data: U8, start: int, last: int, end: int) -> int:
    """A currency sign after a digit; A$, C$ and US$ too."""
    if _is_digit(data[last - 1]):
        return end - last
    if data[last] == DOLLAR:
        if last - 2 >= start and data[last - 1] in (0x41, 0x43) and _is_digit(data[last - 2]):
            return 2
        if last - 3 >= start and data[last - 1] == 0x53 and data[last - 2] == 0x55 and _is_digit(data[last - 3]):
            return 3
    return 0


@helper
def infix_length(data: U8, at: int, end: int, previous: int, roles: U16) -> int:
    """Bytes of the infix that starts at ``at``; 0 for none. ``previous`` is the code point before it, or -1."""
    code = decode(data, at)
    if code == DOT and at + 1 < end and data[at + 1] == DOT:
        stop = at + 2
        while stop < end and data[stop] == DOT:
            stop += 1
        return stop - at
    if code == ELLIPSIS or roles[code] & ICON:
        return char_width(data[at])
    width = char_width(data[at])
    if previous < 0 or at + width >= end:
        return 0
    after = decode(data, at + width)
    before_role, after_role = roles[previous], roles[after]
    digit_before = _is_digit(previous)
    if code in (PLUS, HYPHEN, 0x2A, 0x5E) and digit_before and (_is_digit(after) or after == HYPHEN):  # + - * ^
        return 1
    if code == DOT:
        return 1 if before_role & (LOWER_OR_UNCASED | QUOTE) and after_role & (UPPER_OR_UNCASED | QUOTE) else 0
    if code == 0x2C:  # a comma
        return 1 if before_role & ALPHA and after_role & ALPHA else 0
    if not (before_role & ALPHA or digit_before):
        return 0
    if code in (0x3A, 0x3C, 0x3E, 0x3D, 0x2F, EN_DASH, TILDE):  # : < > = / – ~
        return width if after_role & ALPHA else 0
    if code == HYPHEN:
        return _hyphens(data, at, end, roles)
    if code == EM_DASH:
        if after_role & ALPHA:
            return width
        if after == EM_DASH and at + 2 * width < end and roles[decode(data, at + 2 * width)] & ALPHA:
            return 2 * width
    return 0


@helper
def _hyphens(data: U8, at: int, end: int, roles: U16) -> int:
    """One to three hyphens before a letter."""
    for n in range(1, 4):
        if at + n >= end:
            return 0
        if roles[decode(data, at + n)] & ALPHA:
            return n
        if data[at + n] != HYPHEN:
            return 0
    return 0
