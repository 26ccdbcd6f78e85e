"""Runs the signal kernels over a batch: sub-batches that stay in the cache, one scratch space a thread.

Kernels are separate stages that Python calls in turn for about a quarter of a megabyte of text at a time. One kernel
that called all the others would be compiled and optimised as a whole, which takes minutes; a call from Python costs
microseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from dq.arrays import F64, I64, read_only
from dq.errors import InputError
from dq.executors import run_in_threads
from dq.quality.english import stop_words
from dq.quality.kernels import tally as at_
from dq.quality.kernels.batch import SubBatch
from dq.quality.kernels.c4_rewrite import Written, rewrite_documents
from dq.quality.kernels.documents import mark_sentences, measure_documents
from dq.quality.kernels.lines import measure_lines, most_lines, odd_lines, seen_lines
from dq.quality.kernels.ngrams import measure_ngrams, ngram_arrays
from dq.quality.kernels.scripts import ScriptTables
from dq.quality.signals import AT, C4_COUNTS, DEFAULT_SIGNALS
from dq.text import (
    SPACELESS_SCRIPTS,
    Splitter,
    TextBatch,
    Tidier,
    arrow_array,
    character_classes,
    spaceless_scripts,
    text_batch,
    text_tables,
    tidied,
    tidy_table,
)

SUB_BATCH_BYTES = 256 * 1024
ODD_LINE_BYTES = 1024 * 1024  # of lines that wait to be split
MAX_DOCUMENT_BYTES = 2**31 - 1  # sentence starts and n-gram positions are int32


def measure(
    batch: TextBatch, *, unicode_words: bool = True, ngrams: bool = True, as_written: bool = False, threads: int = 1
) -> F64:
    """All compiled signals of a batch: one row a document, one column a default signal, NaN where undefined.

    ``as_written`` measures the texts as they are, which are made tidy otherwise.

    Raises:
        InputError: a document is larger than 2 GiB.
    """
    batch = TextBatch(read_only(batch.data), read_only(batch.offsets))
    if len(batch) and int(np.diff(batch.offsets).max()) > MAX_DOCUMENT_BYTES:
        raise InputError("a document is larger than 2 GiB; split it first")
    out = _Measures(len(batch))
    parts = list(itertools.pairwise(_cuts(batch.offsets, SUB_BATCH_BYTES)))
    threads = max(1, min(threads, len(parts)))
    waiting = iter(parts)  # of all threads: whoever is free takes the next
    text_tables(), stop_words()  # built once, not by every thread

    def run(scratch: _Scratch) -> None:
        for rows in waiting:
            _fit_odd_lines(int(batch.offsets[rows[1]] - batch.offsets[rows[0]]), out, scratch)
            seen = batch if as_written else scratch.tidier.tidy(batch, rows)
            n_words = scratch.splitter.split(seen, rows, unicode_words=unicode_words)
            _measure_rows(scratch.sub_batch(seen, rows, n_words), out=out, scratch=scratch, ngrams=ngrams)
        _add_odd_lines(out, scratch)

    run_in_threads(run, [_Scratch() for _ in range(threads)], threads=threads)
    table = out.table()
    table[:, AT.unsegmented_script] = table[:, AT.spaceless_script]
    return table


def measure_given(batch: TextBatch, words: Sequence[Sequence[str]], *, as_written: bool = False) -> F64:
    """What `measure` gives, of words that somebody else has split.

    Raises:
        InputError: a word is not in its text, or not after the word before it.
    """
    batch = TextBatch(read_only(batch.data), read_only(batch.offsets))
    out, scratch, n = _Measures(len(batch)), _Scratch(), len(batch)
    if not as_written:
        batch, words = tidied(batch), _tidy_words(words)
    if n:
        n_words = scratch.splitter.place(batch, words)
        _fit_odd_lines(int(batch.offsets[-1] - batch.offsets[0]), out, scratch)
        _measure_rows(scratch.sub_batch(batch, (0, n), n_words), out=out, scratch=scratch, ngrams=True)
        _add_odd_lines(out, scratch)
    table = out.table()
    table[:, AT.unsegmented_script] = 0
    return table


def _tidy_words(words: Sequence[Sequence[str]]) -> list[list[str]]:
    """The words as they stand in tidy texts; those of blanks alone are gone."""
    flat = [word for row in words for word in row]
    found = iter(arrow_array(tidied(text_batch(flat))).to_pylist())
    return [[word for _ in row if (word := next(found))] for row in words]


class _Measures:
    """What the kernels write, one row a document of the whole batch."""

    def __init__(self, documents: int) -> None:
        self.columns = np.full((documents, len(DEFAULT_SIGNALS)), np.nan)
        self.tally = np.zeros((documents, at_.SIZE), np.int64)

    def table(self) -> F64:
        """All columns; those of C4 and of what it leaves are made here, because odd lines are counted late."""
        columns, tally = self.columns, self.tally
        columns[:, AT.c4_kept_line_count : AT.after_c4_line_count] = tally[:, at_.C4 : at_.SIZE]
        lines, chars, words = (
            tally[:, at].astype(np.float64) for at in (at_.AFTER_LINES, at_.AFTER_CHARS, at_.AFTER_WORDS)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[:, AT.after_c4_line_count] = lines
            columns[:, AT.after_c4_terminal_punctuation_line_fraction] = tally[:, at_.AFTER_TERMINAL] / lines
            columns[:, AT.after_c4_short_line_fraction] = tally[:, at_.AFTER_SHORT] / lines
            repeated = tally[:, at_.AFTER_DUPLICATE_CHARS] / np.where(chars > 0, chars, np.nan)
            columns[:, AT.after_c4_duplicate_nonblank_line_char_fraction] = repeated
            columns[:, AT.after_c4_newline_to_word_ratio] = np.where(words > 0, (lines - 1) / words, np.nan)
        return columns


def _cuts(offsets: I64, size: int) -> list[int]:
    """Row numbers that cut a batch into runs of about ``size`` bytes; a larger document is a run of its own."""
    cuts, n = [0], len(offsets) - 1
    while cuts[-1] < n:
        until = int(np.searchsorted(offsets, offsets[cuts[-1]] + size, "right")) - 1
        cuts.append(min(n, max(cuts[-1] + 1, until)))
    return cuts


class _Scratch:
    """Arrays that one thread uses again and again; they grow to the largest sub-batch."""

    def __init__(self) -> None:
        self.splitter, self.tidier = Splitter(), Tidier()
        counts = np.zeros(len(SPACELESS_SCRIPTS) + 1, np.int64)
        self.scripts = ScriptTables(spaceless_scripts(), character_classes(), counts)
        self.sentences = np.empty(1, np.int32)
        self.chars = np.empty(0, np.int64)
        self.odd = odd_lines(0)
        self.ngrams = ngram_arrays(0)

    def sub_batch(self, batch: TextBatch, rows: tuple[int, int], n_words: int) -> SubBatch:
        """These rows, whose masks and words are here, with room for what is measured of them."""
        words, documents = self.splitter.words, rows[1] - rows[0]
        longest = int(np.diff(words.bounds[: documents + 1]).max(initial=0))
        if len(self.chars) < documents:
            self.chars = np.empty(max(documents, 2 * len(self.chars)), np.int64)
        if len(self.sentences) < n_words + 1:
            self.sentences = np.empty(2 * n_words + 1, np.int32)
        if len(self.ngrams.positions) < longest + 1:
            self.ngrams = ngram_arrays(2 * longest)
        return SubBatch(batch.data, batch.offsets, rows, self.splitter.masks, words, self.sentences, self.chars)


def _measure_rows(part: SubBatch, *, out: _Measures, scratch: _Scratch, ngrams: bool) -> None:
    """Every signal of some documents, wherever their words come from."""
    measure_documents(part, stop_words(), scratch.scripts, out.columns)
    measure_lines(part, text_tables(), seen_lines(most_lines(part)), scratch.odd, out.tally, out.columns)
    if ngrams:
        measure_ngrams(part, scratch.ngrams, out.columns)


def _fit_odd_lines(size: int, out: _Measures, scratch: _Scratch) -> None:
    """Room for so many bytes of odd lines behind those that wait, which are split if need be."""
    waiting = int(scratch.odd.bounds[scratch.odd.written[0]])
    if waiting + size > len(scratch.odd.text):
        _add_odd_lines(out, scratch)
        if size > len(scratch.odd.text):
            scratch.odd = odd_lines(max(size, ODD_LINE_BYTES))


def _add_odd_lines(out: _Measures, scratch: _Scratch) -> None:
    """Words and sentences of the lines that C4 keeps after a rewrite, added to their documents.

    They wait for one another, because few lines at a time would cost more in calls than in work.
    """
    odd = scratch.odd
    n = int(odd.written[0])
    if not n:
        return
    odd.written[0] = 0
    lines = TextBatch(read_only(odd.text[: odd.bounds[n]]), read_only(odd.bounds[: n + 1]))
    part = scratch.sub_batch(lines, (0, n), scratch.splitter.split(lines, (0, n)))
    mark_sentences(part)
    bounds, rows, kept = part.words.bounds[: n + 1], odd.rows[:n], odd.kept[:n]
    words = np.diff(bounds)
    sentences = np.diff(part.sentences[bounds]) + (words > 0)
    np.add.at(out.tally[:, at_.C4 + at_.KEPT_SENTENCES], rows, sentences * (kept & 1))
    np.add.at(out.tally[:, at_.C4_RELAXED + at_.KEPT_SENTENCES], rows, sentences)
    np.add.at(out.tally[:, at_.AFTER_WORDS], rows, words)


def rewrite(batch: TextBatch, *, terminal: bool) -> tuple[TextBatch, I64]:
    """The texts that C4 leaves, and its counts (texts x C4_COUNTS)."""
    counts = np.zeros((len(batch), len(C4_COUNTS)), np.int64)
    out = np.empty(int(batch.offsets[-1] - batch.offsets[0]) + len(batch), np.uint8)
    tidy = tidied(batch)
    written = Written(read_only(batch.data), read_only(batch.offsets), tidy.data, tidy.offsets, tidy_table())
    bounds = rewrite_documents(written, terminal, text_tables(), counts, out)
    return TextBatch(read_only(out[: bounds[-1]]), read_only(bounds)), counts
