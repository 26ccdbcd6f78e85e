"""The text that C4 would leave, line by line: the cleaner, and the judge of lines that need rewriting first.

A line with a citation mark is judged without it, a line with a word of more than 1,000 characters is dropped: such
lines are judged here on a copy. Order and definitions follow datatrove's ``C4QualityFilter`` (itself after
tensorflow_datasets `c4_utils.py`). A phrase that would drop the whole document is counted, and the line goes on, so
that every reason of a document is known.

The cleaner judges the lines of tidy texts (`dq.text.tidy`), as the signals do, and leaves those it keeps as they are
written.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dq.arrays import I64, U8
from dq.quality.kernels.c4_phrases import (
    CITATIONS,
    JAVASCRIPT_PHRASES,
    LOREM_PHRASES,
    MAX_WORD_CHARS,
    MIN_WORDS,
    POLICY_PHRASES,
    ends_terminally,
)
from dq.quality.kernels.tally import (
    C4,
    C4_RELAXED,
    CURLY_BRACKET,
    JAVASCRIPT,
    KEPT,
    LOREM_IPSUM,
    NO_TERMINAL,
    POLICY,
    TOO_FEW_WORDS,
    TOO_LONG_WORD,
)
from dq.text.kernels.flags import DECIMAL, KELVIN, SPACE, TextTables
from dq.text.kernels.jit import helper, inlined, kernel, part
from dq.text.kernels.tidy import NEWLINE, next_line
from dq.text.kernels.utf8 import char_width, decode, last_char

OPENING, CLOSING = 0x5B, 0x5D  # brackets


class Written(NamedTuple):
    """Documents as they are written, and tidy."""

    data: U8
    offsets: I64
    tidy: U8
    tidy_offsets: I64
    kinds: U8
    """What every character is, by code point (`dq.text.kernels.tidy`)."""


@kernel
def rewrite_documents(batch: Written, terminal: bool, tables: TextTables, counts: I64, out: U8) -> I64:
    """Write what C4 keeps of each document: kept lines joined by newlines. Returns offsets into ``out``.

    counts: a row of C4's counters a document gains what was found. out: room for the bytes of the documents and one
    more each.
    """
    bounds, judged = np.zeros(batch.offsets.shape[0], np.int64), np.empty(batch.tidy.shape[0], np.uint8)
    for k in range(batch.offsets.shape[0] - 1):
        first = bounds[k]
        to = _rewrite(batch, k, terminal, tables, counts[k], judged, out, first)
        # The text is stripped in the end; what is lost in front is moved over.
        start, last = _strip(out, first, to, tables.classes)
        for offset in range(last - start):
            out[first + offset] = out[start + offset]
        bounds[k + 1] = first + last - start
    return bounds


@part
def _rewrite(
    batch: Written, document: int, terminal: bool, tables: TextTables, counts: I64, judged: U8, out: U8, to: int
) -> int:
    """Write the kept lines of one document, each with a newline, to ``out[to:]``; return their end."""
    data, tidy = batch.data, batch.tidy
    at, end, line = batch.offsets[document], batch.offsets[document + 1], batch.tidy_offsets[document]
    while at < end:
        stop, after, seen = next_line(data, at, end, batch.kinds)
        if seen:
            while tidy[line] == NEWLINE:
                line += 1
            first = line
            while line < batch.tidy_offsets[document + 1] and tidy[line] != NEWLINE:
                line += 1
            start, last = _strip(tidy, first, line, tables.classes)
            if judge_copy(tidy, start, last, terminal, tables, counts, 0, judged, 0) >= 0:
                to = _copy_line(batch, (at, stop), (start, last), tables, out, to)
                out[to] = NEWLINE
                to += 1
        at = after
    return to


@part
def _copy_line(
    batch: Written, written: tuple[int, int], tidy: tuple[int, int], tables: TextTables, out: U8, to: int
) -> int:
    """Copy a line as it is written, but for the citation marks that its tidy copy has; return the copy's end."""
    at, end = _strip(batch.data, written[0], written[1], tables.classes)
    bracket, last = tidy
    while at < end:
        if batch.data[at] == OPENING:  # of which both have the same, in the same order
            while batch.tidy[bracket] != OPENING:
                bracket += 1
            if _citation_end(batch.tidy, bracket, last, tables.marks) > bracket:
                while batch.data[at] != CLOSING:
                    at += 1
                at += 1
                bracket += 1
                continue
            bracket += 1
        out[to] = batch.data[at]
        to += 1
        at += 1
    return to


@inlined
def _strip(data: U8, start: int, end: int, classes: U8) -> tuple[int, int]:
    """The span without white space at its ends, as str.strip()."""
    while start < end and classes[decode(data, start)] & SPACE:
        start += char_width(data[start])
    while end > start:
        last = last_char(data, end)
        if not classes[decode(data, last)] & SPACE:
            break
        end = last
    return start, end


@inlined
def judge_copy(
    data: U8, start: int, end: int, terminal: bool, tables: TextTables, counts: I64, counters: int, out: U8, at: int
) -> int:
    """Judge one stripped line; write it without citations to ``out[at:]``; return its end there, -1 if dropped.

    ``terminal``: whether a line must end in a terminal mark. ``counts`` gains what was found, from ``counters`` on.
    """
    words, longest = _count_chunks(data, start, end, tables.classes)
    if longest > MAX_WORD_CHARS:
        counts[counters + TOO_LONG_WORD] += 1
        return -1
    stop = _remove_citations(data, start, end, tables.marks, out, at)
    if terminal and not ends_terminally(out, at, stop):
        counts[counters + NO_TERMINAL] += 1
        return -1
    if words < MIN_WORDS:
        counts[counters + TOO_FEW_WORDS] += 1
        return -1
    counts[counters + LOREM_IPSUM] += _contains(out, at, stop, LOREM_PHRASES)
    if _contains(out, at, stop, JAVASCRIPT_PHRASES):
        counts[counters + JAVASCRIPT] += 1
        return -1
    for k in range(at, stop):
        if out[k] == 0x7B:
            counts[counters + CURLY_BRACKET] += 1
            break
    if _contains(out, at, stop, POLICY_PHRASES):
        counts[counters + POLICY] += 1
        return -1
    counts[counters + KEPT] += 1
    return stop


@part
def _count_chunks(data: U8, start: int, end: int, classes: U8) -> tuple[int, int]:
    """White-space separated words of the line, and the characters of the longest."""
    words, longest, length = 0, 0, 0
    at = start
    while at < end:
        if classes[decode(data, at)] & SPACE:
            length = 0
        else:
            words += length == 0
            length += 1
            longest = max(longest, length)
        at += char_width(data[at])
    return words, longest


@part
def _remove_citations(data: U8, start: int, end: int, marks: U8, out: U8, at: int) -> int:
    r"""Copy the line without ``\[\d*]``, ``[edit]`` and ``[citation needed]``; return the end of the copy."""
    k = start
    while k < end:
        after = _citation_end(data, k, end, marks) if data[k] == OPENING else k
        if after > k:
            k = after
            continue
        out[at] = data[k]
        at += 1
        k += 1
    return at


@helper
def _citation_end(data: U8, start: int, end: int, marks: U8) -> Any:
    """The end of a citation mark that starts at ``start``; ``start`` itself where there is none."""
    at = start + 1
    while at < end and marks[decode(data, at)] & DECIMAL:
        at += char_width(data[at])
    if at < end and data[at] == CLOSING:
        return at + 1
    for p in range(CITATIONS.shape[0]):
        length = np.int64(CITATIONS[p, 0])
        if start + length <= end:
            k = 0
            while k < length and data[start + k] == CITATIONS[p, 1 + k]:
                k += 1
            if k == length:
                return start + length
    return start


@helper
def _contains(data: U8, start: int, end: int, phrases: U8) -> bool:
    """Whether one of the phrases is in the lower-cased text."""
    for p in range(phrases.shape[0]):
        length = np.int64(phrases[p, 0])
        for at in range(start, end - length + 1):
            k, offset = np.int64(0), at
            while k < length and offset < end:
                byte = np.int64(data[offset])
                width = 1
                if 0x41 <= byte <= 0x5A:
                    byte |= 0x20
                elif byte >= 0x80:
                    width = char_width(byte)
                    byte = np.int64(0x6B if decode(data, offset) == KELVIN and width == 3 else 0)
                if byte != phrases[p, 1 + k]:
                    break
                k += 1
                offset += width
            if k == length:
                return True
    return False


@helper
def judge_odd_line(data: U8, start: int, end: int, tables: TextTables, tally: I64, out: U8, at: int) -> tuple[int, int]:
    """Judge a line on a copy, with and without terminal marks; returns the copy's end and a bit for each that keeps."""
    stop = judge_copy(data, start, end, True, tables, tally, C4, out, at)
    kept = 1 if stop >= 0 else 0
    stop = judge_copy(data, start, end, False, tables, tally, C4_RELAXED, out, at)
    return max(stop, at), kept | (2 if stop >= 0 else 0)
