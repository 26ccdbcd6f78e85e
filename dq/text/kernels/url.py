r"""Whether a chunk is a URL, a host or an e-mail address: spaCy's URL_PATTERN without a regular expression engine.

    ^(scheme://)?(user(:password)?@)?(IPv4 | (label\.)+tld)(:port)?([/?#]\S*)?$

The user part may hold anything, so the host may start after any "@". Each attempt reads only to the next character that
no host can have, so the whole costs one or two passes. Source: spaCy 3.8, `lang/tokenizer_exceptions.py` (MIT), after
Diego Perini's pattern (MIT).
"""

from __future__ import annotations

from dq.arrays import U8, U16
from dq.text.kernels.flags import DIGIT, LETTER, LOWER_OR_UNCASED
from dq.text.kernels.jit import helper, part
from dq.text.kernels.utf8 import char_width, decode

COLON, SLASH, AT, DOT, HYPHEN, UNDERSCORE, PLUS = 0x3A, 0x2F, 0x40, 0x2E, 0x2D, 0x5F, 0x2B
MAX_LABEL_CHARS, MAX_TOP_CHARS = 64, 63


@helper
def is_url(data: U8, start: int, end: int, roles: U16, classes: U8) -> bool:
    """Whether all of ``data[start:end]`` is one address."""
    scheme = _after_scheme(data, start, end, classes)
    if scheme > start and _is_host_onwards(data, scheme, end, roles):
        return True
    if _is_host_onwards(data, start, end, roles):
        return True
    at = start + 1
    while at < end and not (data[at] == AT and _is_host_onwards(data, at + 1, end, roles)):
        at += 1
    return at < end


@helper
def _after_scheme(data: U8, start: int, end: int, classes: U8) -> int:
    """The place after ``scheme://``; ``start`` where there is none. A scheme: two or more letters, digits, + . - _."""
    at, chars = start, 0
    while at < end and data[at] != COLON:
        code = decode(data, at)
        if not (classes[code] & (LETTER | DIGIT) or code in (UNDERSCORE, PLUS, HYPHEN, DOT)):
            return start
        at += char_width(data[at])
        chars += 1
    if chars >= 2 and at + 2 < end and data[at + 1] == SLASH and data[at + 2] == SLASH:
        return at + 3
    return start


@part
def _is_host_character(code: int) -> bool:
    """[A-Za-z0-9] or U+00A1 to U+FFFF, as in the pattern; not the hyphen or underscore."""
    return 0x30 <= code <= 0x39 or 0x41 <= code <= 0x5A or 0x61 <= code <= 0x7A or 0xA1 <= code <= 0xFFFF


@helper
def _is_host_onwards(data: U8, start: int, end: int, roles: U16) -> bool:
    """Whether host, port and path fill ``data[start:end]``."""
    stop, last_dot = start, start - 1
    label_chars, label_ok, starts_label = 0, True, True
    while stop < end:
        code = decode(data, stop)
        if code == DOT:
            # A label ends: 1 to 64 characters, its first and last not a hyphen or underscore.
            if starts_label or label_chars > MAX_LABEL_CHARS or not label_ok:
                return _is_address_onwards(data, start, end)
            last_dot, label_chars, starts_label = stop, 0, True
        elif _is_host_character(code):
            label_chars += 1
            label_ok, starts_label = True, False
        elif code in (HYPHEN, UNDERSCORE) and not starts_label:
            label_chars += 1
            label_ok = False
        else:
            break
        stop += char_width(data[stop])
    if last_dot < start or not _is_top(data, last_dot + 1, stop, roles):
        return _is_address_onwards(data, start, end)
    return _is_tail(data, stop, end)


@helper
def _is_top(data: U8, start: int, end: int, roles: U16) -> bool:
    """A top-level domain: 2 to 63 lower-case or caseless letters."""
    chars, at = 0, start
    while at < end:
        if not roles[decode(data, at)] & LOWER_OR_UNCASED:
            return False
        chars += 1
        at += char_width(data[at])
    return 2 <= chars <= MAX_TOP_CHARS


@helper
def _is_tail(data: U8, start: int, end: int) -> bool:
    """An optional port of 2 to 5 digits and an optional path, to the end."""
    at = start
    if at < end and data[at] == COLON:
        at += 1
        digits = at
        while at < end and 0x30 <= data[at] <= 0x39:
            at += 1
        if not 2 <= at - digits <= 5:
            return False
    return at == end or data[at] in (SLASH, 0x3F, 0x23)


@helper
def _is_address_onwards(data: U8, start: int, end: int) -> bool:
    """A public IPv4 address, then port and path: four numbers, the first 1 to 223, no private or local network."""
    at = start
    first, second, number, parts = 0, 0, 0, 0
    while parts < 4:
        digits = at
        number = 0
        while at < end and at - digits < 3 and 0x30 <= data[at] <= 0x39:
            number = number * 10 + data[at] - 0x30
            at += 1
        if at == digits or number > 255 or (data[digits] == 0x30 and parts in (0, 3)):
            return False
        if parts == 0:
            first = number
        elif parts == 1:
            second = number
        parts += 1
        if parts < 4:
            if at >= end or data[at] != DOT:
                return False
            at += 1
    if not 1 <= first <= 223 or not 1 <= number <= 254:
        return False
    if first in (10, 127) or (first == 169 and second == 254) or (first == 192 and second == 168):
        return False
    if first == 172 and 16 <= second <= 31:
        return False
    return _is_tail(data, at, end)
