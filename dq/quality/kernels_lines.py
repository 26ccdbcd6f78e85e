"""Line and paragraph signals, each by the definition of the rule set that judges it.

Sources differ on what a line is. Gopher's bullets and ellipses use ``str.splitlines``; Gopher's repetition splits at
runs of newlines; FineWeb splits at every newline and leaves out blank lines. Lines are compared by 64-bit hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.jit import inline_kernel, kernel
from dq.text.kernels_hash import hash_bytes
from dq.text.kernels_utf8 import char_width, count_chars, decode, last_char
from dq.text.marks import BREAK, TERMINAL
from dq.text.unicode import SPACE

__all__ = ["LINE_COLUMNS", "measure_lines"]

LINE_COLUMNS = (
    "line_count",
    "bullet_line_fraction",
    "ellipsis_line_fraction",
    "duplicate_line_fraction",
    "duplicate_line_char_fraction",
    "duplicate_paragraph_fraction",
    "duplicate_paragraph_char_fraction",
    "terminal_punctuation_line_fraction",
    "short_line_fraction",
    "duplicate_nonblank_line_char_fraction",
)
SHORT_LINE_CHARS = 30  # datatrove FineWebQualityFilter(short_line_length=30): a short line has 30 characters or fewer
NEWLINE, DOT, HYPHEN, BULLET, ELLIPSIS = 0x0A, 0x2E, 0x2D, 0x2022, 0x2026


@kernel
def measure_lines(data: Any, start: Any, end: Any, n_chars: Any, tables: Any, row: Any) -> Any:
    """Write LINE_COLUMNS of the text ``data[start:end]`` (of ``n_chars`` characters) into ``row``; return newlines."""
    row[:] = np.nan
    _break_lines(data, start, end, tables, row)
    return _newline_lines(data, start, end, n_chars, tables, row)


@inline_kernel
def _break_lines(data: Any, start: Any, end: Any, tables: Any, row: Any) -> None:
    """Bullets and ellipses of the lines that str.splitlines() gives."""
    classes, _, marks = tables
    lines, bullets, ellipses = 0, 0, 0
    at = start
    while at < end:
        stop = at
        while stop < end and not marks[decode(data, stop)] & BREAK:
            stop += char_width(data[stop])
        lines += 1
        first, last = strip(data, at, stop, classes)
        if first < last:
            code = decode(data, first)
            bullets += code in (BULLET, HYPHEN)
            ellipses += ends_in_ellipsis(data, first, last)
        if stop < end:
            carriage_return = data[stop] == 0x0D
            stop += char_width(data[stop])
            if carriage_return and stop < end and data[stop] == NEWLINE:
                stop += 1
        at = stop
    if lines:
        row[1] = bullets / lines
        row[2] = ellipses / lines


@inline_kernel
def strip(data: Any, start: Any, end: Any, classes: Any) -> Any:
    """The span without white space at its ends, as str.strip()."""
    while start < end and classes[decode(data, start)] & SPACE:
        start += char_width(data[start])
    while end > start:
        last = last_char(data, end)
        if not classes[decode(data, last)] & SPACE:
            break
        end = last
    return start, end


@inline_kernel
def ends_in_ellipsis(data: Any, start: Any, end: Any) -> Any:
    """Whether the text ends in three dots or in U+2026."""
    if end - start < 3:
        return False
    if data[end - 1] == DOT:
        return data[end - 2] == DOT and data[end - 3] == DOT
    return data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6


@inline_kernel
def _newline_lines(data: Any, start: Any, end: Any, n_chars: Any, tables: Any, row: Any) -> Any:
    """Everything that splits at newlines."""
    classes, _, marks = tables
    newlines = 0
    for at in range(start, end):
        newlines += data[at] == NEWLINE
    keys = np.empty(newlines + 1, np.uint64)
    table = np.zeros(_table_size(newlines + 1), np.int32)
    nonempty, nonblank, duplicates, duplicate_chars, blank_duplicate_chars = 0, 0, 0, 0, 0
    terminal, short = 0, 0
    at = start
    while at <= end:
        stop = at
        while stop < end and data[stop] != NEWLINE:
            stop += 1
        if stop > at:
            chars = count_chars(data, at, stop)
            first, last = strip(data, at, stop, classes)
            keys[nonempty] = hash_bytes(data, at, stop)
            repeated = seen_before(keys, nonempty, table)
            nonempty += 1
            duplicates += repeated
            duplicate_chars += repeated * chars
            if first < last:
                nonblank += 1
                terminal += (marks[decode(data, last_char(data, stop))] & TERMINAL) != 0
                short += chars <= SHORT_LINE_CHARS
            else:
                blank_duplicate_chars += repeated * chars
        at = stop + 1
    row[0] = nonblank
    if end > start:
        # re.split leaves an empty string before a leading and after a trailing newline; two of them are equal.
        open_ends = int(data[start] == NEWLINE) + int(data[end - 1] == NEWLINE)
        row[3] = (duplicates + (open_ends == 2)) / (nonempty + open_ends)
        row[4] = duplicate_chars / n_chars
        _paragraphs(data, start, end, n_chars, classes, newlines, row)
    if nonblank:
        row[7] = terminal / nonblank
        row[8] = short / nonblank
        row[9] = (duplicate_chars - blank_duplicate_chars) / (n_chars - newlines)
    return newlines


@inline_kernel
def _paragraphs(data: Any, start: Any, end: Any, n_chars: Any, classes: Any, newlines: Any, row: Any) -> None:
    """Paragraphs of the stripped text: separated by two or more newlines."""
    keys = np.empty(newlines // 2 + 1, np.uint64)
    table = np.zeros(_table_size(newlines // 2 + 1), np.int32)
    paragraphs, duplicates, duplicate_chars = 0, 0, 0
    at, end = strip(data, start, end, classes)
    while at < end or paragraphs == 0:
        stop = at
        while stop < end and not (data[stop] == NEWLINE and data[stop + 1] == NEWLINE):
            stop += 1
        keys[paragraphs] = hash_bytes(data, at, stop)
        if seen_before(keys, paragraphs, table):
            duplicates += 1
            duplicate_chars += count_chars(data, at, stop)
        paragraphs += 1
        at = stop
        while at < end and data[at] == NEWLINE:
            at += 1
    row[5] = duplicates / paragraphs
    row[6] = duplicate_chars / n_chars


@inline_kernel
def _table_size(items: Any) -> Any:
    size = 8
    while size < 2 * items:
        size *= 2
    return size


@inline_kernel
def seen_before(keys: Any, k: Any, table: Any) -> Any:
    """Whether ``keys[k]`` equals an earlier key; enters it where not. ``table`` (int32, a power of two) starts as 0."""
    mask = np.uint64(table.shape[0] - 1)
    slot = keys[k] & mask
    while table[slot]:
        if keys[table[slot] - 1] == keys[k]:
            return True
        slot = (slot + np.uint64(1)) & mask
    table[slot] = k + 1
    return False
