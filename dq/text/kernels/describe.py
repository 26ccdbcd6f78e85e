"""What each word is: its length in characters, hashes, and the properties that rules ask for."""

from __future__ import annotations

import numpy as np

from dq.arrays import U8
from dq.text.kernels.bits import TOP, load_u64, nonnegative, trailing_zeros, within
from dq.text.kernels.flags import (
    ALL_CAPS,
    ALPHABETIC,
    CHAR_PUNCTUATION,
    ENDS_SENTENCE,
    IS_PUNCTUATION,
    IS_WORD,
    LETTER,
    LOWER,
    SENTENCE_END,
    SYMBOL_ONLY,
    UPPER,
    TextTables,
    WordArrays,
)
from dq.text.kernels.hash import hash_bytes, hash_pair, short_blocks
from dq.text.kernels.jit import helper, kernel, part
from dq.text.kernels.utf8 import char_width, decode, encode


@kernel
def describe_batch(data: U8, n_words: int, tables: TextTables, words: WordArrays) -> None:
    """Describe the first ``n_words`` words that are flagged UNDESCRIBED."""
    longest = 64
    for k in range(n_words):
        longest = max(longest, words.ends[k] - words.starts[k])
    for k in range(n_words, n_words + 8):
        words.flags[k] = 0
    # Lower case may need more bytes than upper case, never twice as many.
    _describe_all(data, n_words, tables, words, np.empty(2 * longest, np.uint8))


@helper
def _describe_all(data: U8, n_words: int, tables: TextTables, words: WordArrays, buffer: U8) -> None:
    for first in range(0, n_words, 8):  # the flag is the top bit, and one word in ten has it
        waiting = load_u64(words.flags, first) & TOP
        while waiting:
            _describe(data, nonnegative(first + (trailing_zeros(waiting) >> 3)), tables, words, buffer)
            waiting &= waiting - np.uint64(1)


@part
def _describe(data: U8, k: int, tables: TextTables, words: WordArrays, buffer: U8) -> None:
    start, end = nonnegative(words.starts[k]), nonnegative(words.ends[k])
    words.chars[k] = end - start
    if end - start <= 16:
        first, second = short_blocks(data, start, end - start)
        flag = _short_flags(first, second)
        if flag and not (first | second) & TOP:
            words.hashes[k], words.folded[k] = hash_pair(data, start, end)
            words.flags[k] = flag
            return
    _describe_any(data, k, start, end, tables, words, buffer)


@part
def _short_flags(first: np.uint64, second: np.uint64) -> int:
    """The flags of an ASCII word of these bytes, all at once; 0 where it has no letter or digit."""
    upper = within(first, 0x41, 0x5A) | within(second, 0x41, 0x5A)
    lower = within(first, 0x61, 0x7A) | within(second, 0x61, 0x7A)
    digits = within(first, 0x30, 0x39) | within(second, 0x30, 0x39)
    flag = IS_WORD if upper | lower | digits else 0
    flag |= ALPHABETIC if upper | lower else 0
    return flag | (ALL_CAPS if upper and not lower else 0)


@part
def _describe_any(data: U8, k: int, start: int, end: int, tables: TextTables, words: WordArrays, buffer: U8) -> None:
    """Describe a word character by character."""
    n_chars, letters, all_marks, any_word, high = end - start, 0, 0xFF, 0, 0
    for at in range(start, end):
        byte = data[at]
        high |= byte
        letters |= tables.classes[byte]
        mark = tables.marks[byte]
        all_marks &= mark
        any_word |= (mark & SYMBOL_ONLY) == 0
    if high < 0x80:
        words.hashes[k], words.folded[k] = hash_pair(data, start, end)
    else:
        n_chars, letters, all_marks, any_word, to = _read_chars(data, start, end, tables, buffer)
        words.hashes[k] = hash_bytes(data, start, end)
        words.folded[k] = hash_bytes(buffer, 0, to)
    words.chars[k] = n_chars
    words.flags[k] = _flags(n_chars, letters, all_marks, any_word)


@part
def _read_chars(data: U8, start: int, end: int, tables: TextTables, buffer: U8) -> tuple[int, int, int, int, int]:
    """The properties of a word outside ASCII; writes it in lower case to ``buffer``."""
    n_chars, letters, all_marks, any_word = 0, 0, 0xFF, 0
    at, to = start, 0
    while at < end:
        code = decode(data, at)
        letters |= tables.classes[code]
        mark = tables.marks[code]
        all_marks &= mark
        any_word |= (mark & SYMBOL_ONLY) == 0
        to = encode(tables.lower[code], buffer, to)
        n_chars += 1
        at += char_width(data[at])
    return n_chars, letters, all_marks, any_word, to


@part
def _flags(n_chars: int, letters: int, all_marks: int, any_word: int) -> int:
    flag = 0
    if letters & LETTER:
        flag |= ALPHABETIC
    if any_word:
        flag |= IS_WORD
    if n_chars == 1 and all_marks & SENTENCE_END:
        flag |= ENDS_SENTENCE
    if all_marks & CHAR_PUNCTUATION:
        flag |= IS_PUNCTUATION
    if letters & UPPER and not letters & LOWER:
        flag |= ALL_CAPS
    return flag
