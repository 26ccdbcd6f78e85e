"""Properties of characters, as flat tables that kernels index by code point.

Categories, white space and case come from Python's ``unicodedata``; nothing is ASCII-only. The tables cost 1.1 MB and
4.4 MB, take about 0.1 s to build and are built once a process, on first use.

Where a published rule names marks, its own list decides and not the category. Sources: datatrove 0.10.1 `utils/text.py`
(Apache-2.0) for ``SYMBOL_ONLY`` and ``TERMINAL``; spaCy 3.8 `pipeline/sentencizer.pyx` (MIT) for ``SENTENCE_END``.
"""

from __future__ import annotations

import functools
import operator
import unicodedata

import numpy as np

from dq.arrays import I32, U8
from dq.text.kernels.flags import (
    BREAK,
    CHAR_PUNCTUATION,
    DECIMAL,
    DIGIT,
    LETTER,
    LOWER,
    MARK,
    PUNCTUATION,
    SENTENCE_END,
    SPACE,
    SYMBOL,
    SYMBOL_ONLY,
    TERMINAL,
    UPPER,
)

CODE_POINTS = 0x110000
# Everything assigned with a property lies here (the rest is unassigned, private use or surrogates), checked by a test.
ASSIGNED = (range(0xD800), range(0xF900, 0x34000), range(0xE0000, 0xE0200))

_BY_GROUP = {"L": LETTER, "M": MARK, "N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}
_BY_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER}

SENTENCE_END_RANGES = """
0021 002E 003F 0589 061F 06D4 0700-0702 07F9 0964-0965 104A-104B 1362 1367-1368 166E 1735-1736 1803 1809 1944-1945
1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877
A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 11047-11048 110BE-110C1
11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642
1173C-1173E 11A42-11A43 11A9B-11A9C 11C41-11C42 16A6E-16A6F 16AF5 16B37-16B38 16B44 1BC9F 1DA88
"""
# datatrove's terminal punctuation is spaCy's list and these.
TERMINAL_EXTRA_RANGES = """
061D-061E 0837 0839 083D-083E 17D4-17D6 17D9-17DA 1B7D-1B7E 2E53-2E54 10F55-10F59 10F86-10F89 11944 11946 11EF7-11EF8
11F43-11F44 16E98
"""
# Besides the terminal marks. FF11 is a full-width digit one: it is in the source's list, so it is here.
SYMBOL_ONLY_RANGES = """
0000-0008 000B-001F 0021-002F 003A-0040 005B-0060 007B-009F 00AB 00B4 00BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA
3001-3002 3008-300D 3010-3011 FF01 FF05 FF08-FF09 FF0C FF0E FF11 FF1A-FF1B FF1F FF5E
"""
BREAK_RANGES = "000A-000D 001C-001E 0085 2028-2029"


@functools.cache
def character_classes() -> U8:
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
def lowercase() -> I32:
    """The lower-case code point of every code point, where it is a single one: int32, shape (0x110000,).

    Only U+0130 lowers to two code points; it maps to plain ``i``.
    """
    table = np.arange(CODE_POINTS, dtype=np.int32)
    for block in ASSIGNED:
        first_characters = map(operator.itemgetter(0), map(str.lower, map(chr, block)))
        table[block.start : block.stop] = np.fromiter(map(ord, first_characters), np.int32, len(block))
    table.setflags(write=False)
    return table


def code_points(ranges: str) -> list[int]:
    """The code points of a list of hexadecimal numbers and ranges, such as ``"0041-005A 00B5"``."""
    found: list[int] = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        found.extend(range(int(first, 16), int(last or first, 16) + 1))
    return found


@functools.cache
def marks() -> U8:
    """The rule-set bits of every code point: uint8, shape (0x110000,)."""
    table = np.zeros(CODE_POINTS, np.uint8)
    table[code_points(SENTENCE_END_RANGES)] |= SENTENCE_END | TERMINAL | SYMBOL_ONLY
    table[code_points(TERMINAL_EXTRA_RANGES)] |= TERMINAL | SYMBOL_ONLY
    table[code_points(SYMBOL_ONLY_RANGES)] |= SYMBOL_ONLY
    table[code_points(BREAK_RANGES)] |= BREAK
    table[(character_classes() & PUNCTUATION) != 0] |= CHAR_PUNCTUATION
    for code in np.flatnonzero(character_classes() & DIGIT):
        if unicodedata.category(chr(code)) == "Nd":
            table[code] |= DECIMAL
    table.setflags(write=False)
    return table
