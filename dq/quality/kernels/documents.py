"""Signals that count words and characters of a whole document."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.kernels.bits import count_ones, nonnegative, trailing_zeros
from dq.text.kernels.blocks import CONTINUATION, CURLY, DIGIT, DOT, HASH_SIGN, NEWLINE, UPPER
from dq.text.kernels.jit import inlined, part, plain_kernel
from dq.text.kernels.scan import ELLIPSIS, count_bits, low_bits
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
# The table of stop words, a perfect hash by displacement: small enough to stay in the first-level cache.
STOP_SLOTS, STOP_BUCKETS = 512, 128
# A slot: the upper 55 bits of the hash, then the nine bits above.
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
    (int64, characters). stop_words: slots (uint64), displacements (uint64) and the shift of the perfect hash.
    """
    base = offsets[rows[0]]
    sentences[0] = 0
    for row in range(rows[0], rows[1]):
        local = row - rows[0]
        columns = out[row]
        first, last = words.bounds[local], words.bounds[local + 1]
        _words(words.flags[first:last], words.chars[first:last], columns)
        _stop_words(words.folded[first:last], words.hashes[first:last], stop_words, columns)
        _sentences(data, first, last, words, sentences, columns)
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
def _words(flags: Any, chars: Any, columns: Any) -> None:
    """Counts of words by their flags, and their mean length."""
    real, letters, alphabetic, caps = 0, 0, 0, 0
    for k in range(flags.shape[0]):  # no branches: LLVM makes vectors of it
        is_word = int((flags[k] & IS_WORD) != 0)
        alphabetic += int((flags[k] & ALPHABETIC) != 0)
        real += is_word
        letters += is_word * chars[k]
        caps += is_word & int((flags[k] & ALL_CAPS) != 0)
    columns[1] = flags.shape[0]
    columns[2] = real
    if flags.shape[0]:
        columns[4] = alphabetic / flags.shape[0]
    if real:
        columns[3] = letters / real
        columns[5] = caps / real


@part
def _stop_words(folded: Any, hashes: Any, stop_words: Any, columns: Any) -> None:
    """Which of Gopher's stop words occur, in any case and as written, and the share of function words."""
    slots, displacements, shift = stop_words
    found, as_written, function_words = np.uint64(0), np.uint64(0), np.uint64(0)
    for k in range(folded.shape[0]):
        key = folded[k]
        entry = slots[((key >> shift) ^ displacements[key & np.uint64(STOP_BUCKETS - 1)]) & np.uint64(STOP_SLOTS - 1)]
        # Masks instead of branches: nearly half of all words are in the table.
        bits = entry & (STOP_MASK * np.uint64(((entry ^ key) & ~STOP_MASK) == 0))
        found |= bits
        function_words += bits >> np.uint64(STOP_BITS)
        as_written |= bits * np.uint64(hashes[k] == key)
    if folded.shape[0]:
        columns[6] = _count_stops(found)
        columns[7] = _count_stops(as_written)
        columns[8] = function_words / folded.shape[0]


@part
def _sentences(data: Any, first: Any, last: Any, words: Any, sentences: Any, columns: Any) -> None:
    """Sentence starts before each word of a document, by spaCy's sentencizer.

    After an end mark, the next word that is no mark begins a sentence, and so does white space other than a single
    space, which spaCy keeps as a token.
    """
    starts, ends, flags = words.starts[first:last], words.ends[first:last], words.flags[first:last]
    counts = sentences[first:]
    count, open_end = counts[0], False
    for k in range(flags.shape[0]):
        flag = flags[k]
        if open_end:
            before = nonnegative(ends[k - 1])
            gap = starts[k] - before > 1 or (starts[k] - before == 1 and data[before] != 0x20)
            if gap or not flag & (IS_PUNCTUATION | ENDS_SENTENCE):
                count += 1
                open_end = False
        open_end |= (flag & ENDS_SENTENCE) != 0
        counts[k + 1] = count
    columns[9] = count - counts[0] + (last > first)


@inlined
def _count_stops(stops: Any) -> Any:
    return count_ones(stops & np.uint64((1 << STOP_BITS) - 1))


@part
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
