"""C4's line rules on the untouched text: what would be kept, what dropped and why, and the text that would remain.

Order and definitions follow datatrove's ``C4QualityFilter`` (itself after tensorflow_datasets `c4_utils.py`); see
``dq.quality.presets``. A line is first stripped; words are white-space separated here; a citation is removed before
the terminal mark is looked for. A phrase that would drop the whole document is counted, and the line goes on, so that
every reason of a document is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.quality.kernels_lines import strip
from dq.text.jit import inline_kernel, kernel
from dq.text.kernels_utf8 import char_width, decode
from dq.text.marks import BREAK, DECIMAL
from dq.text.unicode import SPACE

__all__ = ["C4_COUNTS", "KEPT", "judge_line", "next_line", "rewrite"]

# What judge_line answers, and the index of its counter.
KEPT, TOO_LONG_WORD, NO_TERMINAL, TOO_FEW_WORDS, JAVASCRIPT, POLICY, LOREM_IPSUM, CURLY_BRACKET = range(8)
C4_COUNTS = (
    "kept_line_count",
    "too_long_word_line_count",
    "no_terminal_punctuation_line_count",
    "too_few_words_line_count",
    "javascript_line_count",
    "policy_line_count",
    "lorem_ipsum_line_count",
    "curly_bracket_line_count",
)
MAX_WORD_CHARS = 1000  # c4_utils.py _MAX_WORD_LENGTH
MIN_WORDS = 3  # c4_utils.py _MIN_WORDS_PER_LINE


def _phrases(*texts: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Phrases as rows: length, then bytes."""
    rows = np.zeros((len(texts), 32), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        row[0] = len(text)
        row[1 : 1 + len(text)] = np.frombuffer(text.encode(), np.uint8)
    return rows


LOREM_PHRASES = _phrases("lorem ipsum")
JAVASCRIPT_PHRASES = _phrases("javascript")
# datatrove c4_filters.py POLICY_SUBSTRINGS, from c4_utils.py _POLICY_SUBSTRINGS
POLICY_PHRASES = _phrases(
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"
)
CITATIONS = _phrases("[edit]", "[citation needed]")
KELVIN = 0x212A  # the one character outside ASCII whose lower case is an ASCII letter (k)


@kernel
def next_line(data: Any, start: Any, end: Any, marks: Any) -> Any:
    """The end of the line that starts at ``start`` and the start of the next, by str.splitlines()."""
    stop = start
    while stop < end and not marks[decode(data, stop)] & BREAK:
        stop += char_width(data[stop])
    after = stop
    if stop < end:
        after += char_width(data[stop])
        if data[stop] == 0x0D and after < end and data[after] == 0x0A:
            after += 1
    return stop, after


@kernel
def judge_line(data: Any, start: Any, end: Any, terminal: Any, tables: Any, counts: Any, out: Any, at: Any) -> Any:
    """Judge one stripped line; write it without citations to ``out[at:]``; return its end there, or -1 if dropped.

    ``terminal``: whether a line must end in a terminal mark. ``counts`` (C4_COUNTS) gains what was found.
    """
    classes, _, marks = tables
    words, longest = _count_chunks(data, start, end, classes)
    if longest > MAX_WORD_CHARS:
        counts[TOO_LONG_WORD] += 1
        return -1
    stop = _remove_citations(data, start, end, marks, out, at)
    if terminal and not _ends_terminally(out, at, stop):
        counts[NO_TERMINAL] += 1
        return -1
    if words < MIN_WORDS:
        counts[TOO_FEW_WORDS] += 1
        return -1
    counts[LOREM_IPSUM] += _contains(out, at, stop, LOREM_PHRASES)
    if _contains(out, at, stop, JAVASCRIPT_PHRASES):
        counts[JAVASCRIPT] += 1
        return -1
    for k in range(at, stop):
        if out[k] == 0x7B:
            counts[CURLY_BRACKET] += 1
            break
    if _contains(out, at, stop, POLICY_PHRASES):
        counts[POLICY] += 1
        return -1
    counts[KEPT] += 1
    return stop


@inline_kernel
def _count_chunks(data: Any, start: Any, end: Any, classes: Any) -> Any:
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


@inline_kernel
def _remove_citations(data: Any, start: Any, end: Any, marks: Any, out: Any, at: Any) -> Any:
    r"""Copy the line without ``\[\d*]``, ``[edit]`` and ``[citation needed]``; return the end of the copy."""
    k = start
    while k < end:
        after = _citation_end(data, k, end, marks) if data[k] == 0x5B else k
        if after > k:
            k = after
            continue
        out[at] = data[k]
        at += 1
        k += 1
    return at


@kernel
def _citation_end(data: Any, start: Any, end: Any, marks: Any) -> Any:
    """The end of a citation mark that starts at ``start``; ``start`` itself where there is none."""
    at = start + 1
    while at < end and marks[decode(data, at)] & DECIMAL:
        at += char_width(data[at])
    if at < end and data[at] == 0x5D:
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


@inline_kernel
def _ends_terminally(data: Any, start: Any, end: Any) -> Any:
    """Whether the line ends in . ? ! " ' and not in three dots."""
    if end == start:
        return False
    last = data[end - 1]
    if last == 0x2E:
        return not (end - start >= 3 and data[end - 2] == 0x2E and data[end - 3] == 0x2E)
    return last in (0x3F, 0x21, 0x22, 0x27)


@kernel
def _contains(data: Any, start: Any, end: Any, phrases: Any) -> Any:
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


@kernel
def rewrite(data: Any, start: Any, end: Any, terminal: Any, tables: Any, counts: Any, out: Any, line_ends: Any) -> Any:
    """Write what C4 keeps of a document to ``out``: lines joined by newlines, stripped; return (start, end, lines).

    ``line_ends`` receives the end of every kept line in ``out``.
    """
    classes, _, marks = tables
    at, to, lines = start, 0, 0
    while at < end:
        stop, after = next_line(data, at, end, marks)
        first, last = strip(data, at, stop, classes)
        written = judge_line(data, first, last, terminal, tables, counts, out, to)
        if written >= 0:
            line_ends[lines] = written
            out[written] = 0x0A
            to = written + 1
            lines += 1
        at = after
    first, last = strip(out, 0, to, classes)
    return first, last, lines
