"""Signals that count words and characters of a whole document."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dq.arrays import F64, I32, U8, U64
from dq.quality.kernels.batch import SubBatch
from dq.quality.kernels.scripts import ScriptTables, spaceless_script
from dq.quality.signals import AT
from dq.text.kernels.bits import count_ones, nonnegative, trailing_zeros
from dq.text.kernels.blocks import CONTINUATION, CURLY, DIGIT, DOT, HASH_SIGN, HIGH, LETTER, NEWLINE, UPPER
from dq.text.kernels.flags import ALL_CAPS, ALPHABETIC, ENDS_SENTENCE, IS_PUNCTUATION, IS_WORD
from dq.text.kernels.jit import inlined, part, plain_kernel
from dq.text.kernels.scan import ELLIPSIS, count_bits, low_bits

STOP_BITS = 8  # bits 0-7 of a stop-word entry: which of Gopher's eight; bit 8: an English function word
FUNCTION_WORD = 256
# The table of stop words, a perfect hash by displacement: small enough to stay in the first-level cache.
STOP_SLOTS, STOP_BUCKETS = 512, 128
# A slot: the upper 55 bits of the hash, then the nine bits above.
STOP_MASK = np.uint64(511)
ONE = np.uint64(1)


class StopWords(NamedTuple):
    """A hash table without collisions: the slot of a word is found by one shift and one exclusive or."""

    slots: U64
    displacements: U64
    """Of each bucket of words."""
    shift: np.uint64


@plain_kernel
def measure_documents(batch: SubBatch, stop_words: StopWords, scripts: ScriptTables, out: F64) -> None:
    """Columns of the table of signals (a row of ``out`` a document of the whole batch); NaN where undefined.

    Also fills ``batch.chars`` and ``batch.sentences``.
    """
    words, masks = batch.words, batch.masks
    base = batch.offsets[batch.rows[0]]
    batch.sentences[0] = 0
    for row in range(batch.rows[0], batch.rows[1]):
        local = row - batch.rows[0]
        columns = out[row]
        first, last = words.bounds[local], words.bounds[local + 1]
        _words(words.flags[first:last], words.chars[first:last], columns)
        _stop_words(words.folded[first:last], words.hashes[first:last], stop_words, columns)
        _sentences(batch, first, last)
        columns[AT.sentence_count] = batch.sentences[last] - batch.sentences[first] + (last > first)
        start, end = batch.offsets[row] - base, batch.offsets[row + 1] - base
        chars = end - start - count_bits(masks[CONTINUATION], start, end)
        batch.chars[local] = chars
        columns[AT.char_count] = chars
        columns[AT.spaceless_script] = 0
        if count_bits(masks[HIGH], start, end):
            letters = count_bits(masks[LETTER], start, end)
            columns[AT.spaceless_script] = spaceless_script(batch.data, base + start, base + end, letters, scripts)
        if last > first:
            ellipses = _ellipses(masks[DOT], start, end) + count_bits(masks[ELLIPSIS], start, end)
            columns[AT.hash_sign_to_word_ratio] = count_bits(masks[HASH_SIGN], start, end) / (last - first)
            columns[AT.ellipsis_to_word_ratio] = ellipses / (last - first)
            columns[AT.newline_to_word_ratio] = count_bits(masks[NEWLINE], start, end) / (last - first)
        if chars:
            columns[AT.uppercase_char_fraction] = count_bits(masks[UPPER], start, end) / chars
            columns[AT.digit_char_fraction] = count_bits(masks[DIGIT], start, end) / chars
            columns[AT.curly_bracket_char_fraction] = count_bits(masks[CURLY], start, end) / chars


@part
def _words(flags: U8, chars: I32, columns: F64) -> None:
    """Counts of words by their flags, and their mean length."""
    real, letters, alphabetic, caps = 0, 0, 0, 0
    for k in range(flags.shape[0]):  # no branches: LLVM makes vectors of it
        is_word = int((flags[k] & IS_WORD) != 0)
        alphabetic += int((flags[k] & ALPHABETIC) != 0)
        real += is_word
        letters += is_word * chars[k]
        caps += is_word & int((flags[k] & ALL_CAPS) != 0)
    columns[AT.word_and_mark_count] = flags.shape[0]
    columns[AT.word_count] = real
    if flags.shape[0]:
        columns[AT.alphabetic_word_fraction] = alphabetic / flags.shape[0]
    if real:
        columns[AT.mean_word_length_chars] = letters / real
        columns[AT.all_caps_word_fraction] = caps / real


@part
def _stop_words(folded: U64, hashes: U64, stop_words: StopWords, columns: F64) -> None:
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
        columns[AT.distinct_stop_word_count] = _count_stops(found)
        columns[AT.distinct_stop_word_count_case_sensitive] = _count_stops(as_written)
        columns[AT.function_word_fraction] = function_words / folded.shape[0]


@plain_kernel
def mark_sentences(batch: SubBatch) -> None:
    """Fill ``batch.sentences`` alone."""
    batch.sentences[0] = 0
    for local in range(batch.rows[1] - batch.rows[0]):
        _sentences(batch, batch.words.bounds[local], batch.words.bounds[local + 1])


@part
def _sentences(batch: SubBatch, first: int, last: int) -> None:
    """Sentence starts before each word of a document, by spaCy's sentencizer.

    After an end mark, the next word that is no mark begins a sentence, and so does white space other than a single
    space, which spaCy keeps as a token.
    """
    data, counts = batch.data, batch.sentences[first:]
    starts, ends, flags = batch.words.starts[first:last], batch.words.ends[first:last], batch.words.flags[first:last]
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


@inlined
def _count_stops(stops: np.uint64) -> Any:
    return count_ones(stops & np.uint64((1 << STOP_BITS) - 1))


@part
def _ellipses(dots: U64, start: int, end: int) -> int:
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
