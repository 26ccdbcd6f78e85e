"""What NFC is made with: the tables of `dq.text.kernels.nfc`, from Python's ``unicodedata``.

Two kinds of white space (U+2000, U+2001) stay what they are: whoever composes makes all white space alike.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

from dq.text.characters import ASSIGNED, CODE_POINTS, character_classes
from dq.text.kernels import nfc as bits
from dq.text.kernels.flags import MARK
from dq.text.kernels.nfc import NfcTables


@functools.cache
def nfc_tables() -> NfcTables:
    """The tables, built once a process in about 0.2 seconds."""
    kinds, orders = np.zeros(CODE_POINTS, np.uint8), np.zeros(CODE_POINTS, np.uint8)
    marks = np.flatnonzero(character_classes() & MARK)
    orders[marks] = [unicodedata.combining(chr(code)) for code in marks]
    kinds[orders != 0] |= bits.ORDERED
    decomposed, pairs = _decompositions(), _pairs()
    kinds[list(decomposed)] |= bits.DECOMPOSES
    changed = [code for code in decomposed if unicodedata.normalize("NFC", chr(code)) != chr(code)]
    kinds[changed] |= bits.CHANGES
    kinds[[second for _, second in pairs]] |= bits.COMPOSES
    kinds[[*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]] |= bits.COMPOSES
    codes = sorted(decomposed)
    lengths = [len(decomposed[code]) for code in codes]
    keys = sorted(pairs)
    made = NfcTables(
        kinds=kinds,
        orders=orders,
        decomposed=np.array(codes, np.int32),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        parts=np.array([part for code in codes for part in decomposed[code]], np.int32),
        pairs=np.array([first << 21 | second for first, second in keys], np.int64),
        composites=np.array([pairs[key] for key in keys], np.int32),
    )
    for table in made:
        table.setflags(write=False)
    return made


@functools.cache
def _decompositions() -> dict[int, list[int]]:
    """Full canonical decompositions, but of white space and of Hangul syllables, which are computed."""
    found = {}
    for block in ASSIGNED:
        for code, given in zip(block, map(unicodedata.decomposition, map(chr, block)), strict=True):
            if given and given[0] != "<" and not chr(code).isspace():
                found[code] = [ord(char) for char in unicodedata.normalize("NFD", chr(code))]
    return found


def _pairs() -> dict[tuple[int, int], int]:
    """The pairs of code points that NFC makes one of."""
    found = {}
    for code in _decompositions():
        parts = [int(part, 16) for part in unicodedata.decomposition(chr(code)).split()]
        if len(parts) == 2 and unicodedata.normalize("NFC", chr(code)) == chr(code):
            found[parts[0], parts[1]] = code
    return found
