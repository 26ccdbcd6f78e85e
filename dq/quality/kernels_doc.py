"""Signals that count words and characters of a whole document."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.jit import inlined, part, plain_kernel
from dq.text.kernels_bits import nonnegative, trailing_zeros
from dq.text.kernels_blocks import CONTINUATION, CURLY, DIGIT, DOT, HASH_SIGN, NEWLINE, UPPER
from dq.text.kernels_scan import ELLIPSIS, count_bits, low_bits
from dq.text.word_flags import ALL_CAPS, ALPHABETIC, ENDS_SENTENCE, IS_PUNCTUATION, IS_WORD

__all__ = ["DOCUMENT_COLUMNS", "measure_documents"]

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
# A slot of the table of stop words: the upper 55 bits of the hash, then the nine bits above. No two share a slot.
STOP_SLOT_BITS = 12
STOP_MASK = np.uint64(511)
ONE = np.uint64(1)


@plain_kernel
def measure_documents(
    data: Any,
    offsets: Any,
    rows: Any,
    masks: Any,
    words: Any,
    stop_words: Any,
    sentences: Any,
    n_chars: Any,
    out: Any,
) -> None:
    """DOCUMENT_COLUMNS (float64) of the documents ``rows[0]:rows[1]``; NaN where undefined.

    Also writes sentences (int32: sentence starts before each word, the first of each document left out) and n_chars
    (int64, characters). stop_words: table (uint64) and the multiplier of its perfect hash.
    """
    base = offsets[rows[0]]
    sentences[0] = 0
    for row in range(rows[0], rows[1]):
        local = row - rows[0]
        columns = out[row]
        first, last = words.bounds[local], words.bounds[local + 1]
        _words(data, first, last, words, stop_words, sentences, columns)
        start, end = offsets[row] - base, offsets[row + 1] - base
        chars = end - start - count_bits(masks[CONTINUATION], start, end)
        n_chars[local] = chars
        columns[0] = chars
        if last > first:
            ellipses = _ellipses(masks[DOT], start, end) + count_bits(masks[ELLIPSIS], start, end)
            columns[10] = count_bits(masks[HASH_SIGN], start, end) / (last - first)
            columns[11] = ellipses / (last - first)
            columns[12] = count_bits(masks[NEWLINE], start, end) / (last - first)
        if chars:
            columns[13] = count_bits(masks[UPPER], start, end) / chars
            columns[14] = count_bits(masks[DIGIT], start, end) / chars
            columns[15] = count_bits(masks[CURLY], start, end) / chars


@part
def _words(data: Any, first: Any, last: Any, words: Any, stop_words: Any, sentences: Any, columns: Any) -> None:
    real, letters, alphabetic, caps, function_words = 0, 0, 0, 0, 0
    stops, stops_as_written = 0, 0
    count, open_end, previous_end = sentences[first], False, np.int64(0)
    for k in range(nonnegative(first), last):
        flag, start = words.flags[k], words.starts[k]
        alphabetic += (flag & ALPHABETIC) != 0
        # No branches: words and marks, small and common words alternate without a pattern.
        is_word = int((flag & IS_WORD) != 0)
        real += is_word
        letters += is_word * words.chars[k]
        caps += is_word & ((flag & ALL_CAPS) != 0)
        bits = _stop_word(words.folded[k], stop_words)
        stops |= bits
        function_words += bits >> STOP_BITS
        stops_as_written |= bits if words.hashes[k] == words.folded[k] else 0
        if open_end:
            # spaCy's sentencizer: after an end mark, the next word that is no mark begins a sentence, and so does
            # white space other than a single space, which spaCy keeps as a token.
            size = start - previous_end
            gap = size > 1 or (size == 1 and data[previous_end] != 0x20)
            if gap or not flag & (IS_PUNCTUATION | ENDS_SENTENCE):
                count += 1
                open_end = False
        if flag & ENDS_SENTENCE:
            open_end = True
        previous_end = words.ends[k]
        sentences[k + 1] = count
    columns[1] = last - first
    columns[2] = real
    columns[9] = count - sentences[first] + (last > first)
    if last > first:
        columns[4] = alphabetic / (last - first)
        columns[6] = _count_stops(stops)
        columns[7] = _count_stops(stops_as_written)
        columns[8] = function_words / (last - first)
    if real:
        columns[3] = letters / real
        columns[5] = caps / real


@inlined
def _stop_word(key: Any, stop_words: Any) -> Any:
    """The bits of a word in the table of stop words; 0 where it is none. No branch: nearly half of all words are."""
    table, multiplier = stop_words
    entry = table[np.int64((key * multiplier) >> np.uint64(64 - STOP_SLOT_BITS))]
    return np.int64(entry & STOP_MASK) if (entry ^ key) & ~STOP_MASK == 0 else 0


@inlined
def _count_stops(stops: Any) -> Any:
    count = 0
    for k in range(STOP_BITS):
        count += (stops >> k) & 1
    return count


@inlined
def _ellipses(dots: Any, start: Any, end: Any) -> Any:
    """Runs of three dots, without overlaps, as ``str.count("...")``."""
    if end <= start:
        return 0
    count, resume = 0, start
    before = np.uint64(0)  # the dots of the block before, for runs across its edge
    for block in range(start >> 6, ((end - 1) >> 6) + 1):
        bits = dots[block]
        if block == start >> 6:
            bits &= ~low_bits(start & 63)
        if block == (end - 1) >> 6:
            bits &= low_bits(((end - 1) & 63) + 1)
        third = bits & (bits << ONE | before >> np.uint64(63)) & (bits << np.uint64(2) | before >> np.uint64(62))
        before = bits
        while third:
            at = (block << 6) + trailing_zeros(third)
            third &= third - ONE
            if at - 2 >= resume:
                count += 1
                resume = at + 1
    return count
