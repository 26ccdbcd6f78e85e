"""Unicode properties as flat tables that kernels index by code point.

Categories, white space and case come from Python's ``unicodedata``; nothing is ASCII-only. The tables cost 1.1 MB and
4.4 MB, take about 0.1 s to build and are built once a process, on first use.
"""

from __future__ import annotations

import functools
import operator
import unicodedata
from typing import Any

import numpy as np

__all__ = ["DIGIT", "LETTER", "LOWER", "MARK", "PUNCTUATION", "SPACE", "SYMBOL", "UPPER", "classes", "lowercase"]

LETTER = 1  # general category L*
MARK = 2  # M*: combining accents belong to the letter before them
DIGIT = 4  # N*: decimal digits, letter numbers, other numbers
SPACE = 8  # str.isspace()
PUNCTUATION = 16  # P*
SYMBOL = 32  # S*
UPPER = 64  # Lu and Lt
LOWER = 128  # Ll

CODE_POINTS = 0x110000
# Everything assigned with a property lies here (the rest is unassigned, private use or surrogates), checked by a test.
ASSIGNED = (range(0xD800), range(0xF900, 0x34000), range(0xE0000, 0xE0200))

_BY_GROUP = {"L": LETTER, "M": MARK, "N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}
_BY_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER}


@functools.cache
def classes() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The property bits of every code point: uint8, shape (0x110000,)."""
    table = np.zeros(CODE_POINTS, np.uint8)
    for block in ASSIGNED:
        categories = map(unicodedata.category, map(chr, block))
        spaces = np.fromiter(map(str.isspace, map(chr, block)), bool, len(block))
        table[block.start : block.stop] = np.fromiter(map(_category_bits, categories), np.uint8, len(block))
        table[block.start : block.stop][spaces] |= SPACE
    table.setflags(write=False)
    return table


@functools.cache
def _category_bits(category: str) -> int:
    return _BY_GROUP.get(category[0], 0) | _BY_CATEGORY.get(category, 0)


@functools.cache
def lowercase() -> np.ndarray[Any, np.dtype[np.int32]]:
    """The lower-case code point of every code point, where it is a single one: int32, shape (0x110000,).

    Only U+0130 lowers to two code points; it maps to plain ``i``.
    """
    table = np.arange(CODE_POINTS, dtype=np.int32)
    for block in ASSIGNED:
        first_characters = map(operator.itemgetter(0), map(str.lower, map(chr, block)))
        table[block.start : block.stop] = np.fromiter(map(ord, first_characters), np.int32, len(block))
    table.setflags(write=False)
    return table
