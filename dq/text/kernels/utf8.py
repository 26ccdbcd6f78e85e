"""Decoding and measuring UTF-8 inside kernels. Arrow guarantees valid UTF-8, so no byte is checked twice."""

from __future__ import annotations

from typing import Any

from dq.text.kernels.bits import nonnegative
from dq.text.kernels.jit import helper, inlined


@inlined
def char_width(byte: Any) -> Any:
    """Bytes of the character whose first byte is ``byte``: 1 to 4."""
    if byte < 0x80:
        return 1
    if byte < 0xE0:
        return 2
    return 3 if byte < 0xF0 else 4


@inlined
def decode(data: Any, at: Any) -> Any:
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
def last_char(data: Any, end: Any) -> Any:
    """The byte at which the character before byte ``end`` starts."""
    at = nonnegative(end - 1)
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@helper
def count_chars(data: Any, start: Any, end: Any) -> Any:
    """Code points in ``data[start:end]``: every byte but continuation bytes."""
    count = 0
    for at in range(nonnegative(start), end):
        count += (data[at] & 0xC0) != 0x80
    return count
