"""Bits that describe a word, and what a mark may do at the edges of a chunk of letters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ALL_CAPS",
    "ALPHABETIC",
    "AT_BOTH_ENDS",
    "AT_END",
    "AT_START",
    "ENDS_SENTENCE",
    "IS_DOT",
    "IS_PUNCTUATION",
    "IS_WORD",
    "UNDESCRIBED",
    "WordArrays",
    "word_arrays",
]

ALPHABETIC = 1  # a letter is in it
IS_WORD = 2  # a character outside datatrove's punctuation list is in it
ENDS_SENTENCE = 4  # it is one sentence-ending mark
IS_PUNCTUATION = 8  # all of it is Unicode punctuation
ALL_CAPS = 16  # str.isupper(): an upper-case letter and no lower-case one
UNDESCRIBED = 128  # found, but not yet described

# Kinds of ASCII marks beside letters, for the short paths of kernels.words.
AT_END = 1  # cut off after letters
AT_START = 2  # cut off before letters, and no special case begins with it and letters
AT_BOTH_ENDS = 4  # a special case may be letters and this mark: look the whole chunk up first
IS_DOT = 8  # cut off only after some letters


class WordArrays(NamedTuple):
    """The words of a batch, one after another."""

    bounds: Any
    """int64, documents + 1: the first word of every document."""
    starts: Any
    """int64: first byte."""
    ends: Any
    """int64: after the last byte."""
    chars: Any
    """int32: code points."""
    flags: Any
    """uint8: bits of this module."""
    hashes: Any
    """uint64: hash of the bytes."""
    folded: Any
    """uint64: hash of the lower-case bytes."""


def word_arrays(documents: int, words: int) -> WordArrays:
    """Empty arrays for at most this many documents and words."""
    return WordArrays(
        np.zeros(documents + 1, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int32),
        np.zeros(words + 8, np.uint8),  # read eight at a time
        np.empty(words, np.uint64),
        np.empty(words, np.uint64),
    )
