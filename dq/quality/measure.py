"""Runs the signal kernels over a batch: sub-batches that stay in the cache, one scratch space a thread.

Kernels are separate stages that Python calls in turn for about a quarter of a megabyte of text at a time. One kernel
that called all the others would be compiled and optimised as a whole, which takes minutes; a call from Python costs
microseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dq.errors import InputError
from dq.executors import run_in_threads
from dq.quality.english import stop_words
from dq.quality.kernels import tally as line_tally
from dq.quality.kernels.c4 import KEPT_SENTENCES
from dq.quality.kernels.c4_phrases import C4_COUNTS
from dq.quality.kernels.c4_rewrite import rewrite_documents
from dq.quality.kernels.documents import DOCUMENT_COLUMNS, measure_documents
from dq.quality.kernels.lines import LINE_COLUMNS, measure_lines, most_lines, odd_lines, seen_lines
from dq.quality.kernels.ngrams import N_GRAM_COLUMNS, measure_ngrams, ngram_arrays
from dq.text.buffers import TextBatch
from dq.text.kernels.describe import describe_batch
from dq.text.kernels.scan import MASKS, scan_batch
from dq.text.kernels.words import split_batch
from dq.text.tables import text_tables
from dq.text.word_flags import UNDESCRIBED, WordArrays, word_arrays
from dq.text.words import BLOCK_BYTES, read_only

__all__ = ["AFTER_C4_COLUMNS", "C4_COLUMNS", "C4_RELAXED_COLUMNS", "Measures", "measure", "measure_given"]

SUB_BATCH_BYTES = 256 * 1024
ODD_LINE_BYTES = 1024 * 1024  # of lines that wait to be split
MAX_DOCUMENT_BYTES = 2**31 - 1  # sentence starts and n-gram positions are int32

C4_COLUMNS = (*(f"c4_{name}" for name in C4_COUNTS), "c4_kept_sentence_count")
C4_RELAXED_COLUMNS = tuple(name.replace("c4_", "c4_relaxed_", 1) for name in C4_COLUMNS)
AFTER_C4_COLUMNS = (
    "after_c4_line_count",
    "after_c4_terminal_punctuation_line_fraction",
    "after_c4_short_line_fraction",
    "after_c4_duplicate_nonblank_line_char_fraction",
    "after_c4_newline_to_word_ratio",
)

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Measures:
    """Raw columns, one row a document: float64 with NaN where undefined, and the int64 tallies of lines."""

    document: Array
    lines: Array
    ngrams: Array
    tally: Array

    @classmethod
    def empty(cls, n: int) -> Measures:
        """Room for n documents, all undefined."""
        shapes = (len(DOCUMENT_COLUMNS), len(LINE_COLUMNS), len(N_GRAM_COLUMNS))
        document, lines, ngrams = (np.full((n, width), np.nan) for width in shapes)
        return cls(document, lines, ngrams, np.zeros((n, line_tally.SIZE), np.int64))

    def columns(self) -> dict[str, Array]:
        """Every signal by name."""
        found = dict(zip(DOCUMENT_COLUMNS, self.document.T, strict=True))
        found |= zip(LINE_COLUMNS, self.lines.T, strict=True)
        found |= zip(N_GRAM_COLUMNS, self.ngrams.T, strict=True)
        for names, first in ((C4_COLUMNS, line_tally.C4), (C4_RELAXED_COLUMNS, line_tally.C4_RELAXED)):
            found |= zip(names, self.tally.T[first : first + len(names)].astype(np.float64), strict=True)
        return found | _after_c4(self.tally)


def _after_c4(tally: Array) -> dict[str, Array]:
    """FineWeb's signals of the text that C4 without terminal marks would leave."""
    lines = tally[:, line_tally.AFTER_LINES].astype(np.float64)
    chars, words = tally[:, line_tally.AFTER_CHARS], tally[:, line_tally.AFTER_WORDS]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (
            lines,
            tally[:, line_tally.AFTER_TERMINAL] / lines,
            tally[:, line_tally.AFTER_SHORT] / lines,
            tally[:, line_tally.AFTER_DUPLICATE_CHARS] / np.where(chars > 0, chars, np.nan),
            np.where(words > 0, (lines - 1) / words, np.nan),
        )
    return dict(zip(AFTER_C4_COLUMNS, values, strict=True))


def measure(batch: TextBatch, *, unicode_words: bool = True, ngrams: bool = True, threads: int = 1) -> Measures:
    """All compiled signals of a batch.

    Raises:
        InputError: a document is larger than 2 GiB.
    """
    batch = TextBatch(read_only(batch.data), read_only(batch.offsets))
    if len(batch) and int(np.diff(batch.offsets).max()) > MAX_DOCUMENT_BYTES:
        raise InputError("a document is larger than 2 GiB; split it first")
    out = Measures.empty(len(batch))
    parts = list(itertools.pairwise(_cuts(batch.offsets, SUB_BATCH_BYTES)))
    threads = max(1, min(threads, len(parts)))
    waiting = iter(parts)  # of all threads: whoever is free takes the next
    text_tables(), stop_words()  # built once, not by every thread

    def run(scratch: _Scratch) -> None:
        for rows in waiting:
            _fit_odd_lines(int(batch.offsets[rows[1]] - batch.offsets[rows[0]]), out, scratch)
            n_words = _split(batch, rows, scratch, unicode_words=unicode_words)
            measure_rows(batch, rows, n_words, out=out, scratch=scratch, ngrams=ngrams)
        _add_odd_lines(out, scratch)

    run_in_threads(run, [_Scratch() for _ in range(threads)], threads=threads)
    return out


def _cuts(offsets: Array, size: int) -> list[int]:
    """Row numbers that cut a batch into runs of about ``size`` bytes; a larger document is a run of its own."""
    cuts, n = [0], len(offsets) - 1
    while cuts[-1] < n:
        until = int(np.searchsorted(offsets, offsets[cuts[-1]] + size, "right")) - 1
        cuts.append(min(n, max(cuts[-1] + 1, until)))
    return cuts


class _Scratch:
    """Arrays that one thread uses again and again; they grow to the largest sub-batch."""

    def __init__(self) -> None:
        self.masks = np.empty((MASKS, 0), np.uint64)
        self.words = word_arrays(0, 0)
        self.sentences = np.empty(1, np.int32)
        self.chars = np.empty(0, np.int64)
        self.odd = odd_lines(0)
        self.ngrams = ngram_arrays(0)
        self.table = np.empty(64, np.uint32)

    def fit_text(self, documents: int, size: int) -> None:
        """Room for so many documents and bytes. Arrays are only touched as far as words are found."""
        if self.masks.shape[1] < size // BLOCK_BYTES + 2:
            self.masks = np.empty((MASKS, size // BLOCK_BYTES + 2), np.uint64)
        if len(self.words.starts) < size or len(self.chars) < documents:
            documents = max(documents, 2 * len(self.chars))
            self.words = word_arrays(documents, max(size, len(self.words.starts)))
            self.chars = np.empty(documents, np.int64)

    def fit_words(self, n_words: int, longest: int) -> None:
        """Room for so many words in all and in the longest document."""
        if len(self.sentences) < n_words + 1:
            self.sentences = np.empty(2 * n_words + 1, np.int32)
        if len(self.ngrams.positions) < longest + 1:
            self.ngrams = ngram_arrays(2 * longest)
            self.table = np.empty(1 << (4 * longest + 64).bit_length(), np.uint32)


def measure_given(batch: TextBatch, words: Sequence[Sequence[str]]) -> Measures:
    """All compiled signals of a batch, of words that somebody else has split.

    Raises:
        InputError: a word is not in its text, or not after the word before it.
    """
    batch = TextBatch(read_only(batch.data), read_only(batch.offsets))
    out, scratch, n = Measures.empty(len(batch)), _Scratch(), len(batch)
    if not n:
        return out
    start, end, tables = int(batch.offsets[0]), int(batch.offsets[-1]), text_tables()
    scratch.fit_text(n, end - start)
    scan_batch(batch.data, start, end, tables.scan, scratch.masks)
    n_words = _place(batch, words, scratch.words)
    describe_batch(batch.data, n_words, tables, scratch.words)
    _fit_odd_lines(end - start, out, scratch)
    measure_rows(batch, (0, n), n_words, out=out, scratch=scratch, ngrams=True)
    _add_odd_lines(out, scratch)
    return out


def _place(batch: TextBatch, words: Sequence[Sequence[str]], arrays: WordArrays) -> int:
    """Find each word in its text, left to right; fill starts, ends and flags; return the number of words."""
    count = 0
    for row, found in enumerate(words):
        arrays.bounds[row] = count
        at, end = int(batch.offsets[row]), int(batch.offsets[row + 1])
        text, first = batch.data[at:end].tobytes(), at
        for word in found:
            raw = word.encode()
            place = text.find(raw, at - first) if raw else -1
            if place < 0:
                raise InputError(f"text {row}: the word {word!r} is not in it after the words before it")
            arrays.starts[count], arrays.ends[count] = first + place, first + place + len(raw)
            arrays.flags[count] = UNDESCRIBED
            at = first + place + len(raw)
            count += 1
    arrays.bounds[len(words)] = count
    return count


def _split(batch: TextBatch, rows: tuple[int, int], scratch: _Scratch, *, unicode_words: bool) -> int:
    """Masks and words of some rows into ``scratch``; returns the number of words."""
    start, end, tables = int(batch.offsets[rows[0]]), int(batch.offsets[rows[1]]), text_tables()
    scratch.fit_text(rows[1] - rows[0], end - start)
    scan_batch(batch.data, start, end, tables.scan, scratch.masks)
    n_words = split_batch(batch.data, batch.offsets, rows, unicode_words, scratch.masks, tables, scratch.words)
    describe_batch(batch.data, n_words, tables, scratch.words)
    return int(n_words)


def measure_rows(
    batch: TextBatch, rows: tuple[int, int], n_words: int, *, out: Measures, scratch: _Scratch, ngrams: bool
) -> None:
    """Every signal of some rows whose masks and words are in ``scratch``, wherever the words come from."""
    words: WordArrays = scratch.words
    bounds = words.bounds[: rows[1] - rows[0] + 1]
    scratch.fit_words(n_words, int(np.diff(bounds).max(initial=0)))
    data, offsets, masks, tables = batch.data, batch.offsets, scratch.masks, text_tables()
    measure_documents(data, offsets, rows, masks, words, stop_words(), scratch.sentences, scratch.chars, out.document)
    outs, odd = (out.lines, out.tally), scratch.odd
    seen = seen_lines(most_lines(offsets, rows, masks))
    known = (tables.marks, tables.classes, words.bounds, words.starts, scratch.sentences)
    measure_lines(data, offsets, rows, scratch.chars, masks, *known, outs, odd, seen)
    if ngrams:
        measure_ngrams(rows, scratch.chars, words, scratch.ngrams, scratch.table, out.ngrams)


def _fit_odd_lines(size: int, out: Measures, scratch: _Scratch) -> None:
    """Room for so many bytes of odd lines behind those that wait, which are split if need be."""
    waiting = int(scratch.odd.bounds[scratch.odd.count[0]])
    if waiting + size > len(scratch.odd.text):
        _add_odd_lines(out, scratch)
        if size > len(scratch.odd.text):
            scratch.odd = odd_lines(max(size, ODD_LINE_BYTES))


def _add_odd_lines(out: Measures, rest: _Scratch) -> None:
    """Words and sentences of the lines that C4 keeps after a rewrite, added to their documents.

    They wait for one another, because few lines at a time would cost more in calls than in work.
    """
    odd = rest.odd
    n = int(odd.count[0])
    if not n:
        return
    odd.count[0] = 0
    lines = TextBatch(read_only(odd.text[: odd.bounds[n]]), read_only(odd.bounds[: n + 1]))
    n_words = _split(lines, (0, n), rest, unicode_words=True)
    rest.fit_words(n_words, 0)
    found = np.full((n, len(DOCUMENT_COLUMNS)), np.nan)
    measure_documents(
        lines.data, lines.offsets, (0, n), rest.masks, rest.words, stop_words(), rest.sentences, rest.chars, found
    )
    sentences = found[:, DOCUMENT_COLUMNS.index("sentence_count")].astype(np.int64)
    words = found[:, DOCUMENT_COLUMNS.index("word_and_mark_count")].astype(np.int64)
    rows, kept = odd.rows[:n], odd.kept[:n]
    np.add.at(out.tally[:, line_tally.C4 + KEPT_SENTENCES], rows, sentences * (kept & 1))
    np.add.at(out.tally[:, line_tally.C4_RELAXED + KEPT_SENTENCES], rows, sentences)
    np.add.at(out.tally[:, line_tally.AFTER_WORDS], rows, words)


def rewrite(batch: TextBatch, chosen: Array, *, terminal: bool) -> tuple[TextBatch, Array]:
    """The text that C4 leaves of the chosen rows, and its counts (int64, rows x C4_COUNTS)."""
    sizes = np.diff(batch.offsets)[chosen]
    counts = np.zeros((len(chosen), len(C4_COUNTS)), np.int64)
    out = np.empty(int(sizes.sum()) + len(chosen), np.uint8)
    data, offsets = read_only(batch.data), read_only(batch.offsets)
    bounds = rewrite_documents(data, offsets, chosen.astype(np.int64), terminal, text_tables(), counts, out)
    return TextBatch(read_only(out[: bounds[-1]]), read_only(bounds)), counts
