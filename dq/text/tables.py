"""All character tables that the text kernels read, as one value."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from dq.text import unicode
from dq.text.kernels import scan
from dq.text.kernels.hash import hash_of
from dq.text.marks import BREAK, CHAR_PUNCTUATION, SENTENCE_END, SYMBOL_ONLY, marks
from dq.text.special_cases import lexicon
from dq.text.unicode import classes, lowercase
from dq.text.word_flags import (
    ALL_CAPS,
    ALPHABETIC,
    AT_BOTH_ENDS,
    AT_END,
    AT_START,
    ENDS_SENTENCE,
    IS_DOT,
    IS_PUNCTUATION,
    IS_WORD,
)
from dq.text.word_roles import INERT, SUFFIX, roles

__all__ = ["KELVIN", "TextTables", "text_tables"]

ELLIPSIS = 0x2026
KELVIN = 0x212A  # the one character outside ASCII whose lower case is an ASCII letter (k)


class TextTables(NamedTuple):
    """Tables indexed by code point, and the lexicon; read-only arrays."""

    classes: Any
    """uint8: Unicode properties, ``dq.text.unicode``."""
    lower: Any
    """int32: lower-case code points."""
    marks: Any
    """uint8: the marks that rules name, ``dq.text.marks``."""
    roles: Any
    """uint16: roles in word splitting, ``dq.text.word_roles``."""
    lexicon: Any
    """uint64: special chunks and units, ``dq.text.special_cases.lexicon``."""
    scan: Any
    """uint8: what ``kernels.scan`` asks of a character outside ASCII."""
    ascii_kinds: Any
    """uint8, 128: what a mark does at the edges of a chunk of letters, ``dq.text.word_flags``."""
    ascii_flags: Any
    """uint8, 128: the flags of a word of this one character."""
    ascii_hashes: Any
    """uint64, 2 x 128: its hash as it is, and in lower case."""


@functools.cache
def text_tables() -> TextTables:
    """The tables, built once a process in about 0.2 seconds."""
    kinds, flags, hashes = _ascii_tables()
    return TextTables(
        classes=classes(),
        lower=lowercase(),
        marks=marks(),
        roles=roles(),
        lexicon=lexicon(),
        scan=_scan_table(),
        ascii_kinds=kinds,
        ascii_flags=flags,
        ascii_hashes=hashes,
    )


def _scan_table() -> np.ndarray[Any, np.dtype[np.uint8]]:
    parts = (
        (classes() & unicode.SPACE, scan.SCAN_SPACE),
        (roles() & INERT, scan.SCAN_PLAIN),
        (marks() & BREAK, scan.SCAN_BREAK),
        (classes() & unicode.UPPER, scan.SCAN_UPPER),
        (classes() & unicode.DIGIT, scan.SCAN_DIGIT),
    )
    table = np.zeros(unicode.CODE_POINTS, np.uint8)
    for present, bit in parts:
        table[present != 0] |= bit
    table[ELLIPSIS] |= scan.SCAN_ELLIPSIS
    table[KELVIN] |= scan.SCAN_TRIGGER
    table.setflags(write=False)
    return table


def _ascii_tables() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Kinds, flags and hashes of the 128 ASCII characters as chunk edges and as words."""
    kinds, flags = np.zeros(128, np.uint8), np.zeros(128, np.uint8)
    suffix = roles()[:128] & SUFFIX
    kinds[suffix != 0] |= AT_END
    kinds[[ord(char) for char in '("[{']] |= AT_START
    kinds[ord("'")] |= AT_BOTH_ENDS
    kinds[ord(".")] |= AT_END | AT_BOTH_ENDS | IS_DOT
    hashes = np.zeros((2, 128), np.uint64)
    for code in range(128):
        mark, group = int(marks()[code]), int(classes()[code])
        flags[code] |= ALPHABETIC if group & unicode.LETTER else 0
        flags[code] |= 0 if mark & SYMBOL_ONLY else IS_WORD
        flags[code] |= ENDS_SENTENCE if mark & SENTENCE_END else 0
        flags[code] |= IS_PUNCTUATION if mark & CHAR_PUNCTUATION else 0
        flags[code] |= ALL_CAPS if group & unicode.UPPER else 0
        for row, char in enumerate((chr(code), chr(code).lower())):
            hashes[row, code] = hash_of(np.frombuffer(char.encode(), np.uint8))
    for table in (kinds, flags, hashes):
        table.setflags(write=False)
    return kinds, flags, hashes
