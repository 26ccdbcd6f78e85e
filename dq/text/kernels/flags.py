"""The bits that describe characters and words, and the tables and words that kernels are given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I32, I64, U8, U16, U64

# Properties of a character (TextTables.classes).
LETTER = 1  # general category L*
MARK = 2  # M*: combining accents belong to the letter before them
DIGIT = 4  # N*: decimal digits, letter numbers, other numbers
SPACE = 8  # str.isspace()
PUNCTUATION = 16  # P*
SYMBOL = 32  # S*
UPPER = 64  # Lu and Lt
LOWER = 128  # Ll

# Marks that published rules name (TextTables.marks).
SYMBOL_ONLY = 1  # a word of these alone is no word for Gopher
TERMINAL = 2  # a line may end with these for FineWeb
SENTENCE_END = 4
BREAK = 8  # str.splitlines() ends a line here
CHAR_PUNCTUATION = 16  # Unicode category P*: what spaCy's is_punct asks of every character of a token
DECIMAL = 32  # category Nd: what \d matches

# Roles in word splitting (TextTables.roles).
ALPHA = 1  # a letter of a listed script: infixes look for these on both sides
LOWER_OR_UNCASED = 2
UPPER_OR_UNCASED = 4
QUOTE = 8
PREFIX = 16  # cut off at the start of a chunk
SUFFIX = 32  # cut off at the end of a chunk
ICON = 64  # cut out anywhere
CURRENCY = 128  # cut off at the end after a digit
DOT_AFTER = 256  # a full stop after it is cut off (lower case and digits besides)
INERT = 512  # takes part in no rule: a chunk of only these is one word (unless it is a special case)

# What a mark of ASCII does at the edges of a chunk of letters (TextTables.ascii_kinds).
AT_END = 1  # cut off after letters
AT_START = 2  # cut off before letters, and no special case begins with it and letters
AT_BOTH_ENDS = 4  # a special case may be letters and this mark: look the whole chunk up first
IS_DOT = 8  # cut off only after some letters

# What a scan asks of a character outside ASCII (TextTables.scan).
SCAN_SPACE, SCAN_PLAIN, SCAN_BREAK, SCAN_UPPER, SCAN_DIGIT, SCAN_ELLIPSIS, SCAN_TRIGGER = 1, 2, 4, 8, 16, 32, 64
KELVIN = 0x212A  # the one character outside ASCII whose lower case is an ASCII letter (k)

# What a word is (WordArrays.flags).
ALPHABETIC = 1  # a letter is in it
IS_WORD = 2  # a character outside datatrove's punctuation list is in it
ENDS_SENTENCE = 4  # it is one sentence-ending mark
IS_PUNCTUATION = 8  # all of it is Unicode punctuation
ALL_CAPS = 16  # str.isupper(): an upper-case letter and no lower-case one
UNDESCRIBED = 128  # found, but not yet described


class TextTables(NamedTuple):
    """Tables indexed by code point, and the lexicon; read-only arrays."""

    classes: U8
    """Unicode properties."""
    lower: I32
    """Lower-case code points."""
    marks: U8
    """The marks that rules name."""
    roles: U16
    """Roles in word splitting."""
    lexicon: U64
    """Special chunks and units, ``dq.text.english.lexicon``."""
    scan: U8
    """What ``scan_batch`` asks of a character outside ASCII."""
    ascii_kinds: U8
    """(128,): what a mark does at the edges of a chunk of letters."""
    ascii_flags: U8
    """(128,): the flags of a word of this one character."""
    ascii_hashes: U64
    """(2, 128): its hash as it is, and in lower case."""


class WordArrays(NamedTuple):
    """The words of a batch, one after another."""

    bounds: I64
    """(documents + 1,): the first word of every document."""
    starts: I64
    """First byte."""
    ends: I64
    """After the last byte."""
    chars: I32
    """Code points."""
    flags: U8
    """What the word is; eight more than words, because they are read eight at a time."""
    hashes: U64
    """Hash of the bytes."""
    folded: U64
    """Hash of the lower-case bytes."""


def word_arrays(documents: int, words: int) -> WordArrays:
    """Empty arrays for at most this many documents and words."""
    return WordArrays(
        np.zeros(documents + 1, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int32),
        np.zeros(words + 8, np.uint8),
        np.empty(words, np.uint64),
        np.empty(words, np.uint64),
    )
