"""What each word is: its length in characters, hashes, and the properties that rules ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.jit import kernel
from dq.text.kernels_hash import hash_bytes
from dq.text.kernels_utf8 import char_width, decode
from dq.text.marks import CHAR_PUNCTUATION, SENTENCE_END, SYMBOL_ONLY
from dq.text.unicode import LETTER, LOWER, UPPER

__all__ = ["ALL_CAPS", "ALPHABETIC", "ENDS_SENTENCE", "IS_PUNCTUATION", "IS_WORD", "describe_words"]

ALPHABETIC = 1  # a letter is in it
IS_WORD = 2  # a character outside datatrove's punctuation list is in it
ENDS_SENTENCE = 4  # it is one sentence-ending mark
IS_PUNCTUATION = 8  # all of it is Unicode punctuation
ALL_CAPS = 16  # str.isupper(): an upper-case letter and no lower-case one


@kernel
def describe_words(
    data: Any, n_words: Any, starts: Any, ends: Any, tables: Any, chars: Any, flags: Any, hashes: Any, folded: Any
) -> Any:
    """Fill chars (int32), flags (uint8), hashes and lower-case hashes (uint64) of the first ``n_words`` words."""
    classes, lower, marks = tables
    buffer = np.empty(256, np.uint8)  # lower case may need more bytes than upper case, never twice as many
    for k in range(n_words):
        start, end = starts[k], ends[k]
        n_chars, letters, all_marks, any_word = 0, 0, 0xFF, 0
        if 2 * (end - start) > buffer.shape[0]:
            buffer = np.empty(4 * (end - start), np.uint8)
        at, to = np.int64(start), 0
        while at < end:
            code = decode(data, at)
            letters |= classes[code]
            mark = marks[code]
            all_marks &= mark
            any_word |= not mark & SYMBOL_ONLY
            to = encode(lower[code], buffer, to)
            n_chars += 1
            at += char_width(data[at])
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
        chars[k] = n_chars
        flags[k] = flag
        hashes[k] = hash_bytes(data, start, end)
        folded[k] = hash_bytes(buffer, 0, to)


@kernel
def encode(code: Any, buffer: Any, at: Any) -> Any:
    """Write one code point as UTF-8; return where the next one goes."""
    if code < 0x80:
        buffer[at] = code
        return at + 1
    if code < 0x800:
        buffer[at] = 0xC0 | code >> 6
        buffer[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        buffer[at] = 0xE0 | code >> 12
        buffer[at + 1] = 0x80 | code >> 6 & 0x3F
        buffer[at + 2] = 0x80 | code & 0x3F
        return at + 3
    buffer[at] = 0xF0 | code >> 18
    buffer[at + 1] = 0x80 | code >> 12 & 0x3F
    buffer[at + 2] = 0x80 | code >> 6 & 0x3F
    buffer[at + 3] = 0x80 | code & 0x3F
    return at + 4
