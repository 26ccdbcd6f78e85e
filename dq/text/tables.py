"""All character tables that the text kernels read, as one value."""

from __future__ import annotations

import functools

import numpy as np

from dq.arrays import U8, U64
from dq.text.characters import CODE_POINTS, character_classes, lowercase, marks
from dq.text.english import lexicon, roles
from dq.text.kernels import flags as bits
from dq.text.kernels.flags import TextTables
from dq.text.kernels.hash import hash_of

ELLIPSIS = 0x2026


@functools.cache
def text_tables() -> TextTables:
    """The tables, built once a process in about 0.2 seconds."""
    kinds, flags, hashes = _ascii_tables()
    return TextTables(
        classes=character_classes(),
        lower=lowercase(),
        marks=marks(),
        roles=roles(),
        lexicon=lexicon(),
        scan=_scan_table(),
        ascii_kinds=kinds,
        ascii_flags=flags,
        ascii_hashes=hashes,
    )


def _scan_table() -> U8:
    parts = (
        (character_classes() & bits.SPACE, bits.SCAN_SPACE),
        (roles() & bits.INERT, bits.SCAN_PLAIN),
        (marks() & bits.BREAK, bits.SCAN_BREAK),
        (character_classes() & bits.UPPER, bits.SCAN_UPPER),
        (character_classes() & bits.DIGIT, bits.SCAN_DIGIT),
    )
    table = np.zeros(CODE_POINTS, np.uint8)
    for present, bit in parts:
        table[present != 0] |= bit
    table[ELLIPSIS] |= bits.SCAN_ELLIPSIS
    table[bits.KELVIN] |= bits.SCAN_TRIGGER
    table.setflags(write=False)
    return table


def _ascii_tables() -> tuple[U8, U8, U64]:
    """Kinds, flags and hashes of the 128 ASCII characters as chunk edges and as words."""
    kinds, flags = np.zeros(128, np.uint8), np.zeros(128, np.uint8)
    suffix = roles()[:128] & bits.SUFFIX
    kinds[suffix != 0] |= bits.AT_END
    kinds[[ord(char) for char in '("[{']] |= bits.AT_START
    kinds[ord("'")] |= bits.AT_BOTH_ENDS
    kinds[ord(".")] |= bits.AT_END | bits.AT_BOTH_ENDS | bits.IS_DOT
    hashes = np.zeros((2, 128), np.uint64)
    for code in range(128):
        mark, group = int(marks()[code]), int(character_classes()[code])
        flags[code] |= bits.ALPHABETIC if group & bits.LETTER else 0
        flags[code] |= 0 if mark & bits.SYMBOL_ONLY else bits.IS_WORD
        flags[code] |= bits.ENDS_SENTENCE if mark & bits.SENTENCE_END else 0
        flags[code] |= bits.IS_PUNCTUATION if mark & bits.CHAR_PUNCTUATION else 0
        flags[code] |= bits.ALL_CAPS if group & bits.UPPER else 0
        for row, char in enumerate((chr(code), chr(code).lower())):
            hashes[row, code] = hash_of(np.frombuffer(char.encode(), np.uint8))
    for table in (kinds, flags, hashes):
        table.setflags(write=False)
    return kinds, flags, hashes
