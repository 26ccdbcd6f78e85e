"""Reading, writing and measuring UTF-8 inside kernels: the one place that knows how it is made.

Arrow guarantees valid UTF-8, so `decode` checks nothing; `decode_any` is for bytes of any kind.
"""

from __future__ import annotations

from typing import Any

from dq.arrays import U8
from dq.text.kernels.bits import nonnegative
from dq.text.kernels.jit import helper, inlined


@inlined
def char_width(byte: Any) -> int:
    """Bytes of the character whose first byte is ``byte``: 1 to 4."""
    if byte < 0x80:
        return 1
    if byte < 0xE0:
        return 2
    return 3 if byte < 0xF0 else 4


@inlined
def decode(data: U8, at: int) -> int:
    """The code point that starts at byte ``at``."""
    first = int(data[nonnegative(at)])
    if first < 0x80:
        return first
    if first < 0xE0:
        return (first & 0x1F) << 6 | (int(data[at + 1]) & 0x3F)
    if first < 0xF0:
        return (first & 0x0F) << 12 | (int(data[at + 1]) & 0x3F) << 6 | (int(data[at + 2]) & 0x3F)
    low = (int(data[at + 2]) & 0x3F) << 6 | (int(data[at + 3]) & 0x3F)
    return (first & 0x07) << 18 | (int(data[at + 1]) & 0x3F) << 12 | low


@inlined
def decode_any(data: U8, at: int, end: int) -> tuple[int, int]:
    """The code point that starts at ``at`` in bytes of any kind, or -1, and the place of the next."""
    first = int(data[nonnegative(at)])
    if first < 0x80:
        return first, at + 1
    if not 0xC0 <= first < 0xF8:
        return -1, at + 1
    width = char_width(first)
    if at + width > end:
        return -1, end
    for k in range(at + 1, at + width):
        if data[k] & 0xC0 != 0x80:
            return -1, k
    code = decode(data, at)
    return code if code <= 0x10FFFF else -1, at + width


@inlined
def encode(code: int, out: U8, at: int) -> int:
    """Write one code point; returns where the next one goes."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@inlined
def last_char(data: U8, end: int) -> int:
    """The byte at which the character before byte ``end`` starts."""
    at = nonnegative(end - 1)
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@helper
def count_chars(data: U8, start: int, end: int) -> int:
    """Code points in ``data[start:end]``: every byte but continuation bytes."""
    count = 0
    for at in range(nonnegative(start), end):
        count += (data[at] & 0xC0) != 0x80
    return count
