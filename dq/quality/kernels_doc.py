"""Signals that count words and characters of a whole document."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.jit import kernel
from dq.text.kernels_describe import ALL_CAPS, ALPHABETIC, ENDS_SENTENCE, IS_PUNCTUATION, IS_WORD
from dq.text.kernels_utf8 import char_width, decode
from dq.text.unicode import DIGIT, UPPER

__all__ = ["DOCUMENT_COLUMNS", "measure_characters", "measure_words"]

DOCUMENT_COLUMNS = (
    "char_count",
    "word_and_mark_count",
    "word_count",
    "mean_word_length_chars",
    "alphabetic_word_fraction",
    "all_caps_word_fraction",
    "distinct_stop_word_count",
    "distinct_stop_word_count_case_sensitive",
    "function_word_fraction",
    "sentence_count",
    "hash_sign_to_word_ratio",
    "ellipsis_to_word_ratio",
    "newline_to_word_ratio",
    "uppercase_char_fraction",
    "digit_char_fraction",
    "curly_bracket_char_fraction",
)
STOP_BITS = 8  # bits 0-7 of a stop-word entry: which of Gopher's eight; bit 8: an English function word
FUNCTION_WORD = 256


@kernel
def measure_words(data: Any, spans: Any, words: Any, stop_words: Any, row: Any) -> None:
    """Word signals of one document into ``row``; spans: count, starts, ends; words: chars, flags, hashes, folded."""
    n_words, starts, ends = spans
    chars, flags, hashes, folded = words
    stop_keys, stop_bits = stop_words
    row[:] = np.nan
    real, letters, alphabetic, caps, function_words = 0, 0, 0, 0, 0
    stops, stops_as_written = 0, 0
    sentences, open_end = 0, False
    for k in range(n_words):
        flag = flags[k]
        alphabetic += (flag & ALPHABETIC) != 0
        if flag & IS_WORD:
            real += 1
            letters += chars[k]
            caps += (flag & ALL_CAPS) != 0
        bits = _stop_word(folded[k], stop_keys, stop_bits)
        if bits:
            stops |= bits
            function_words += (bits & FUNCTION_WORD) != 0
            if hashes[k] == folded[k]:
                stops_as_written |= bits
        gap = k > 0 and ends[k - 1] < starts[k] and not (starts[k] - ends[k - 1] == 1 and data[ends[k - 1]] == 0x20)
        if sentences == 0 or (open_end and (gap or not flag & (IS_PUNCTUATION | ENDS_SENTENCE))):
            sentences += 1
            open_end = False
        if flag & ENDS_SENTENCE:
            open_end = True
    row[1] = n_words
    row[2] = real
    row[9] = sentences
    if n_words:
        row[4] = alphabetic / n_words
        row[6] = _count_bits(stops)
        row[7] = _count_bits(stops_as_written)
        row[8] = function_words / n_words
    if real:
        row[3] = letters / real
        row[5] = caps / real


@kernel
def _stop_word(key: Any, keys: Any, bits: Any) -> Any:
    """The bits of a word in the open-addressing table of stop words; 0 where it is none."""
    mask = np.uint64(keys.shape[0] - 1)
    slot = key & mask
    while bits[slot]:
        if keys[slot] == key:
            return bits[slot]
        slot = (slot + np.uint64(1)) & mask
    return 0


@kernel
def _count_bits(stops: Any) -> Any:
    count = 0
    for k in range(STOP_BITS):
        count += (stops >> k) & 1
    return count


@kernel
def measure_characters(data: Any, start: Any, end: Any, classes: Any, row: Any) -> Any:
    """Character signals of ``data[start:end]``; needs row[1], the words and marks; returns the characters."""
    chars, upper, digits, braces, hashes, ellipses, newlines, dots = 0, 0, 0, 0, 0, 0, 0, 0
    at = start
    while at < end:
        code = decode(data, at)
        bits = classes[code]
        chars += 1
        upper += (bits & UPPER) != 0
        digits += (bits & DIGIT) != 0
        braces += code in (0x7B, 0x7D)
        hashes += code == 0x23
        newlines += code == 0x0A
        dots = dots + 1 if code == 0x2E else 0
        if dots == 3:  # non-overlapping, as str.count("...")
            ellipses += 1
            dots = 0
        ellipses += code == 0x2026
        at += char_width(data[at])
    row[0] = chars
    n_words = row[1]
    if n_words:
        row[10] = hashes / n_words
        row[11] = ellipses / n_words
        row[12] = newlines / n_words
    if chars:
        row[13] = upper / chars
        row[14] = digits / chars
        row[15] = braces / chars
    return chars
