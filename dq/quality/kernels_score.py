"""The loop over documents: one word split each, then every group of signals."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.quality.kernels_c4 import C4_COUNTS, rewrite
from dq.quality.kernels_doc import measure_characters, measure_words
from dq.quality.kernels_lines import measure_lines
from dq.quality.kernels_ngrams import measure_ngrams
from dq.text.jit import kernel
from dq.text.kernels_describe import ENDS_SENTENCE, IS_PUNCTUATION, describe_words
from dq.text.kernels_words import split_document

__all__ = ["AFTER_C4_COLUMNS", "C4_COLUMNS", "GROUP_C4", "GROUP_NGRAMS", "score_documents"]

GROUP_NGRAMS, GROUP_C4 = 1, 2

C4_COLUMNS = (*(f"c4_{name}" for name in C4_COUNTS), "c4_kept_sentence_count")
AFTER_C4_COLUMNS = (
    "after_c4_line_count",
    "after_c4_terminal_punctuation_line_fraction",
    "after_c4_short_line_fraction",
    "after_c4_duplicate_nonblank_line_char_fraction",
    "after_c4_newline_to_word_ratio",
)
N_COUNTS = len(C4_COUNTS)


@kernel
def score_documents(
    data: Any, offsets: Any, rows: Any, unicode_words: Any, groups: Any, tables: Any, stop_words: Any, outs: Any
) -> None:
    """Fill the rows ``rows[0]:rows[1]`` of the output matrices (float64, a row a document; NaN is undefined).

    outs: document, lines, n-grams, C4, relaxed C4, after-C4 columns.
    """
    capacity = 1024
    starts, ends, words, scratch, table = _new_scratch(capacity)
    state = np.zeros(1, np.int64)
    text = np.empty(1024, np.uint8)
    for row in range(rows[0], rows[1]):
        start, end = offsets[row], offsets[row + 1]
        n_words = split_document(data, start, end, tables[0], unicode_words, starts, ends)
        while n_words < 0:
            capacity *= 2
            starts, ends, words, scratch, table = _new_scratch(capacity)
            state[0] = 0
            n_words = split_document(data, start, end, tables[0], unicode_words, starts, ends)
        describe_words(data, n_words, starts, ends, tables, words[0], words[1], words[2], words[3])
        measure_words(data, (n_words, starts, ends), words, stop_words, outs[0][row])
        n_chars = measure_characters(data, start, end, tables[0], outs[0][row])
        measure_lines(data, start, end, n_chars, tables, outs[1][row])
        if groups & GROUP_NGRAMS:
            measure_ngrams(n_words, n_chars, words, scratch, table, state, outs[2][row])
        if groups & GROUP_C4:
            if text.shape[0] < end - start + 1:
                text = np.empty(2 * (end - start + 1), np.uint8)
            _measure_c4(data, start, end, unicode_words, True, tables, text, outs[3][row], outs[5][row])
            _measure_c4(data, start, end, unicode_words, False, tables, text, outs[4][row], outs[5][row])


@kernel
def _new_scratch(capacity: Any) -> Any:
    words = (
        np.empty(capacity, np.int32),
        np.empty(capacity, np.uint8),
        np.empty(capacity, np.uint64),
        np.empty(capacity, np.uint64),
    )
    scratch = (
        np.empty(capacity + 1, np.int32),
        np.empty(capacity + 1, np.int32),
        np.empty(capacity + 1, np.int32),
        np.empty(capacity + 1, np.uint64),
        np.empty(capacity + 1, np.int64),
    )
    table = np.zeros(2 * capacity, np.uint64)
    return np.empty(capacity, np.int64), np.empty(capacity, np.int64), words, scratch, table


@kernel
def _measure_c4(
    data: Any, start: Any, end: Any, unicode_words: Any, terminal: Any, tables: Any, text: Any, row: Any, after: Any
) -> None:
    """C4's counts; for the relaxed variant also FineWeb's signals over the text that would remain."""
    counts = np.zeros(N_COUNTS, np.int64)
    line_ends = np.empty(end - start + 1, np.int64)
    first, last, lines = rewrite(data, start, end, terminal, tables, counts, text, line_ends)
    row[:N_COUNTS] = counts
    sentences, n_words = _sentences_by_line(text, lines, line_ends, unicode_words, tables)
    row[N_COUNTS] = sentences
    if not terminal:
        columns = np.empty(10)
        n_chars = 0
        for k in range(first, last):
            n_chars += (text[k] & 0xC0) != 0x80
        newlines = measure_lines(text, first, last, n_chars, tables, columns)
        after[0] = columns[0]
        after[1] = columns[7]
        after[2] = columns[8]
        after[3] = columns[9]
        after[4] = newlines / n_words if n_words else np.nan


@kernel
def _sentences_by_line(text: Any, lines: Any, line_ends: Any, unicode_words: Any, tables: Any) -> Any:
    """Sentences and words of the kept lines, each line split on its own."""
    sentences, n_words, at = 0, 0, 0
    for line in range(lines):
        stop = line_ends[line]
        starts, ends = np.empty(stop - at + 1, np.int64), np.empty(stop - at + 1, np.int64)
        count = split_document(text, at, stop, tables[0], unicode_words, starts, ends)
        chars, flags = np.empty(count, np.int32), np.empty(count, np.uint8)
        describe_words(
            text, count, starts, ends, tables, chars, flags, np.empty(count, np.uint64), np.empty(count, np.uint64)
        )
        sentences += count_sentences(text, count, starts, ends, flags)
        n_words += count
        at = stop + 1
    return sentences, n_words


@kernel
def count_sentences(text: Any, count: Any, starts: Any, ends: Any, flags: Any) -> Any:
    """Sentences of a span of words as spaCy's sentencizer counts them; at least 1."""
    sentences, open_end = 1, False
    for k in range(count):
        gap = k > 0 and ends[k - 1] < starts[k] and not (starts[k] - ends[k - 1] == 1 and text[ends[k - 1]] == 0x20)
        if open_end and (gap or not flags[k] & (IS_PUNCTUATION | ENDS_SENTENCE)):
            sentences += 1
            open_end = False
        if flags[k] & ENDS_SENTENCE:
            open_end = True
    return sentences
