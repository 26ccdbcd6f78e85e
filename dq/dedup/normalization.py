r"""What of a text is compared: its canonical text, and what the units of shingles keep of that.

**Canonical text.** Unicode's NFC; zero-width marks set aside (soft hyphen, zero-width space, word joiner, invisible
operators, marks of direction, BOM); a zero-width joiner or non-joiner set aside unless it follows a character that
it changes (an emoji or a symbol, a letter or mark of a script that joins or stacks letters, such as Arabic and
Devanagari); every run of white space (``str.isspace``) one space, none at either end. A text of nothing but such marks
keeps them. Two texts are *exact copies* where their canonical texts are equal; one of white space alone copies nothing.

**Units** of canonical text are its runs between spaces, each letter of a script without spaces (`dq.text.scripts`)
with its marks being a run of its own. What is kept of a run is the normalisation:

- ``meaning``: ``folded``, but ``written`` where the text looks like code: where at least one in 16 of its visible
  characters is one of ``{}[]()<>=;_*&|^~$#@+/\``.
- ``folded``: simple lower case; quotes, dashes, full-width forms and other punctuation as their kin in ASCII; at
  both ends of a run ``. , ; : ! ? ' " ( ) [ ] { }`` set aside, but a point or comma that stands before a digit. All
  else counts: ``-5``, ``C++``, ``1.5``, ``don't``, signs, currency, emoji.
- ``written``: every visible character, as it is.
- ``words``: runs of letters, marks and digits (L*, M*, N*) in simple lower case, whatever the script; all else
  separates. What datatrove and datasketch users compare.

A text with no unit left ("...", in ``words`` an emoji too) is one shingle: its canonical text. Case folding is per
code point, so "STRASSE" and "straße" differ. With unit ``characters`` units are the characters of the runs, one by
one, and one space between runs. `dq.dedup.plain` says the same in plain Python.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

from dq.arrays import I32, U8, Array
from dq.dedup.config import ShingleConfig
from dq.dedup.kernels import canonical as bits
from dq.dedup.kernels.words import ALONE, ATTACHED, FOLDED, MEANING, WORDS, WRITTEN, Rules
from dq.text import (
    CODE_POINTS,
    NfcTables,
    character_bits,
    character_classes,
    code_points,
    lowercase,
    nfc_tables,
    spaceless_scripts,
)

ZERO_WIDTH = "00AD 061C 180E 200B 200E-200F 2060-2064 FEFF"
JOINERS = "200C-200D"
# Where joiners change letters: Arabic to Mandaic, the scripts of India, Burmese, Khmer, Mongolian and their kin.
JOINING = """
0600-08FF 0900-0DFF 1000-109F 1780-18AF 1A20-1C4F 200C-200D A840-A8FF A980-AAFF FB50-FDFF FE0F FE70-FEFC 10A00-11FFF
1E900-1E95F 1F3FB-1F3FF
"""
# Signs among Unicode's "other punctuation" that say something wherever they stand, such as section, per mille, prime.
SIGNS = "00A7 00B6 2016 2020-2021 2030-2038 203B 2042 204E-2051 2055-205E"
EDGES = ".,;:!?'\"()[]{}"
_KIN = {"'": "2018-2019 201B", "-": "2212", ",": "060C 3001 FE50-FE51 FF64", ".": "3002 FF61"}
_BY_CATEGORY = {"Pd": "-", "Ps": "(", "Pe": ")", "Pi": '"', "Pf": '"', "Po": "."}
_MODES = {"words": WORDS, "folded": FOLDED, "written": WRITTEN, "meaning": MEANING}


def rules(config: ShingleConfig) -> Rules:
    """A configuration as the kernels take it."""
    by_letter = config.unit == "words" and config.normalization != "words"
    return Rules(
        ngram=config.ngram,
        characters=config.unit == "characters",
        mode=_MODES[config.normalization],
        fold=words_fold() if config.normalization == "words" else fold(),
        alone=alone() if by_letter else np.zeros(0, np.uint8),
        edges=_edges(),
        canonical=canonical_tables(),
    )


@functools.cache
def canonical_tables() -> NfcTables:
    """What canonical text is made with: the tables of NFC, and what is white, of zero width, or joins."""
    classes, nfc = character_classes(), nfc_tables()
    kinds = nfc.kinds.copy()
    symbols = np.flatnonzero(classes & character_bits.SYMBOL)
    kinds[[code for code in symbols if unicodedata.category(chr(code)) == "So"]] |= bits.JOINS
    kinds[(classes & character_bits.SPACE) != 0] |= bits.WHITE
    kinds[code_points(ZERO_WIDTH)] |= bits.ZERO_WIDTH
    kinds[code_points(JOINERS)] |= bits.JOINER
    kinds[code_points(JOINING)] |= bits.JOINS
    kinds.setflags(write=False)
    return nfc._replace(kinds=kinds)


@functools.cache
def fold() -> I32:
    """What ``folded`` makes of every code point, one for one: int32, shape (0x110000,)."""
    table = lowercase().copy()
    signs = set(code_points(SIGNS))
    for code in np.flatnonzero(character_classes() & character_bits.PUNCTUATION).tolist():
        kin = _BY_CATEGORY.get(unicodedata.category(chr(code)))
        if code > 0x7F and kin is not None and code not in signs:
            table[code] = ord(kin)
    for kin, ranges in _KIN.items():
        table[code_points(ranges)] = ord(kin)
    wide = np.arange(0xFF01, 0xFF5F)
    table[wide] = lowercase()[wide - 0xFEE0]
    table.setflags(write=False)
    return table


@functools.cache
def words_fold() -> I32:
    """What ``words`` makes of every code point: lower case, or a space."""
    kept = (character_classes() & (character_bits.LETTER | character_bits.MARK | character_bits.DIGIT)) != 0
    table: Array = np.where(kept, lowercase(), 0x20).astype(np.int32)
    table.setflags(write=False)
    return table


@functools.cache
def alone() -> U8:
    """For every code point whether it is a letter that is a unit of its own (ALONE), or goes with one (ATTACHED)."""
    classes = character_classes()
    table = np.zeros(CODE_POINTS, np.uint8)
    table[(classes & character_bits.MARK) != 0] = ATTACHED
    table[code_points(JOINERS)] = ATTACHED
    table[(spaceless_scripts() != 0) & ((classes & character_bits.MARK) == 0)] = ALONE
    table.setflags(write=False)
    return table


@functools.cache
def _edges() -> U8:
    """For every byte whether it is set aside at the ends of a run."""
    table = np.zeros(256, np.uint8)
    table[[ord(char) for char in EDGES]] = 1
    table.setflags(write=False)
    return table
