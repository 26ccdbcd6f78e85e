"""Scripts that are written without spaces between words, where a run of letters is a phrase and not a word.

By Unicode block, letters and marks alone. Chinese and Japanese share Han: a document that has kana is Japanese, which a
single character cannot tell, so Han counts as Chinese here. Korean, Vietnamese and Ethiopic put spaces between words.
"""

from __future__ import annotations

import functools

import numpy as np

from dq.arrays import U8
from dq.text.characters import CODE_POINTS, character_classes, code_points
from dq.text.kernels.flags import LETTER, MARK

_RANGES = {
    "Chinese": "2E80-2FDF 3005 3007 3021-3029 3038-303B 3105-312F 31A0-31BF 3400-4DBF 4E00-9FFF F900-FAFF 20000-33FFF",
    "Japanese": "3041-309F 30A1-30FF 31F0-31FF FF66-FF9F 1AFF0-1B16F",
    "Thai": "0E01-0E3A 0E40-0E4E",
    "Lao": "0E81-0ECE 0EDC-0EDF",
    "Khmer": "1780-17D3 17D7 17DC-17DD",
    "Burmese": "1000-103F 104E-109F A9E0-A9FE AA60-AA7F",
    "Tibetan": "0F00 0F18-0F19 0F35 0F37 0F39 0F3E-0FBC 0FC6",
    "another script without spaces": "1950-1974 1980-19C9 1A20-1A7C 1B00-1B4C A000-A48C A980-A9C0 AA80-AADF",
}
SPACELESS_SCRIPTS = tuple(_RANGES)
"""Their names; the table of `spaceless_scripts` counts them from 1."""


@functools.cache
def spaceless_scripts() -> U8:
    """For every code point 0, or the place of its script in `SPACELESS_SCRIPTS` and one: uint8, shape (0x110000,)."""
    table = np.zeros(CODE_POINTS, np.uint8)
    for number, ranges in enumerate(_RANGES.values(), start=1):
        table[code_points(ranges)] = number
    table[(character_classes() & (LETTER | MARK)) == 0] = 0
    table[0x3007] = 1  # the Chinese zero is a letter number by category
    table.setflags(write=False)
    return table
