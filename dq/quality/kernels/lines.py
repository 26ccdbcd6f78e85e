"""Line and paragraph signals, each by the definition of the rule set that judges it.

Sources differ on what a line is. Gopher's bullets and ellipses and C4 use ``str.splitlines``; Gopher's repetition
splits at runs of newlines; FineWeb splits at every newline and leaves out blank lines. One walk serves all.
Lines are compared by 64-bit hash. Positions count from the first byte of the batch, as the masks do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dq.quality.kernels import tally as at_
from dq.quality.kernels.c4 import KEPT_RELAXED, ODD, judge_line
from dq.quality.kernels.c4_rewrite import judge_odd_line
from dq.text.kernels.bits import nonnegative
from dq.text.kernels.blocks import BREAK, CONTINUATION, HIGH, NEWLINE, SPACE
from dq.text.kernels.hash import finish, hash_bytes
from dq.text.kernels.jit import inlined, part, plain_kernel
from dq.text.kernels.scan import count_bits, next_bit, strip_span
from dq.text.kernels.utf8 import char_width, count_chars, decode, last_char
from dq.text.marks import TERMINAL

__all__ = ["LINE_COLUMNS", "OddLines", "measure_lines", "most_lines", "odd_lines", "seen_lines"]

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
DOT, HYPHEN, BULLET, CARRIAGE_RETURN = 0x2E, 0x2D, 0x2022, 0x0D
BY_LINE, BY_PARAGRAPH, BY_KEPT_LINE = 0, 1, 2  # which table of hashes


class OddLines(NamedTuple):
    """Lines that C4 keeps after a rewrite, still to be split into words."""

    text: Any
    """uint8: the lines, one after another."""
    bounds: Any
    """int64, lines + 1: where each begins in ``text``."""
    rows: Any
    """int64: document of each line."""
    kept: Any
    """uint8: bit 0 where C4 keeps it, bit 1 where C4 without terminal marks does."""
    count: Any
    """int64, 1: how many there are."""


def odd_lines(size: int) -> OddLines:
    """Empty arrays for the lines of a text of at most ``size`` bytes."""
    lines = size // 5 + 1  # an odd line has three words
    return OddLines(
        np.empty(size, np.uint8),
        np.zeros(lines + 1, np.int64),
        np.empty(lines, np.int64),
        np.empty(lines, np.uint8),
        np.zeros(1, np.int64),
    )


def seen_lines(most: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Tables of the lines a document has had, by three definitions: hashes (uint64), and slots (int64).

    Slots hold document << 32 | number of the line + 1, so that no table is cleared between documents.
    """
    return np.empty((3, most), np.uint64), np.zeros((3, max(8, 1 << (2 * most - 1).bit_length())), np.int64)


@plain_kernel
def most_lines(offsets: Any, rows: Any, masks: Any) -> Any:
    """The most lines that any definition finds in one of the documents ``rows[0]:rows[1]``, or more; at least one."""
    base, longest = offsets[rows[0]], 1
    for row in range(rows[0], rows[1]):
        longest = max(longest, _most_lines(offsets[row] - base, offsets[row + 1] - base, masks))
    return longest


@plain_kernel
def measure_lines(
    data: Any,
    offsets: Any,
    rows: Any,
    n_chars: Any,
    masks: Any,
    marks: Any,
    classes: Any,
    bounds: Any,
    starts: Any,
    sentences: Any,
    outs: Any,
    odd: Any,
    seen: Any,
) -> None:
    """Line signals of the documents ``rows[0]:rows[1]``.

    n_chars: int64, characters a document. marks, classes: of TextTables. bounds, starts: of WordArrays. sentences:
    int32, words + 1, sentence starts before each word. outs: float64
    LINE_COLUMNS and int64 ``tally`` rows, one a document of the whole batch. odd: OddLines, emptied by the caller.
    seen: `seen_lines` for the most lines of any of the documents.
    """
    base = offsets[rows[0]]
    for row in range(rows[0], rows[1]):
        start, end = offsets[row] - base, offsets[row + 1] - base
        local = row - rows[0]
        tally = outs[1][row]
        high = count_bits(masks[HIGH], start, end) > 0
        newlines = count_bits(masks[NEWLINE], start, end)
        slots, most = 8, _most_lines(start, end, masks)
        while slots < 2 * most:
            slots *= 2
        context = (data, base, end, high, masks, marks, classes, starts, sentences, seen, local + 1, slots - 1)
        body = strip_span(masks[SPACE], start, end)
        word = bounds[local]
        paragraph = np.uint64(0)
        at = start
        for _ in range(newlines + 1):
            stop = next_bit(masks[NEWLINE], at, end)
            key = _newline_line(at, stop, context, tally)
            paragraph = _paragraph(at, stop, body, key, paragraph, context, tally)
            word = _break_lines(at, stop, key, word, bounds[local + 1], row, context, odd, tally)
            at = stop + 1
        _write(data, base, start, end, n_chars[local], newlines, tally, outs[0][row])


@inlined
def _most_lines(start: Any, end: Any, masks: Any) -> Any:
    """No definition finds more lines than this."""
    return 1 + count_bits(masks[NEWLINE], start, end) + count_bits(masks[BREAK], start, end)


@inlined
def _chars(start: Any, end: Any, high: Any, masks: Any) -> Any:
    """Code points between two positions."""
    return end - start - count_bits(masks[CONTINUATION], start, end) if high else end - start


@inlined
def _seen_before(key: Any, which: Any, k: Any, seen: Any, document: Any, mask: Any) -> Any:
    """Whether a key was seen in this document; enters it as number ``k`` where not."""
    keys, table = seen
    slot = np.int64(key & np.uint64(mask))
    while table[which, slot] >> 32 == document:
        if keys[which, (table[which, slot] & 0xFFFFFFFF) - 1] == key:
            return True
        slot = (slot + 1) & mask
    keys[which, k] = key
    table[which, slot] = document << 32 | (k + 1)
    return False


@part
def _newline_line(at: Any, stop: Any, context: Any, tally: Any) -> Any:
    """One line between newlines: Gopher's repetition and FineWeb's rules; returns its hash."""
    data, base, _end, high, masks, marks, _classes, _starts, _sentences, seen, document, mask = context
    at, stop, base = nonnegative(at), nonnegative(stop), nonnegative(base)
    if stop == at:
        return np.uint64(0)
    chars = _chars(at, stop, high, masks)
    key = hash_bytes(data, base + at, base + stop)
    repeated = _seen_before(key, BY_LINE, tally[at_.NONEMPTY], seen, document, mask)
    tally[at_.NONEMPTY] += 1
    tally[at_.DUPLICATES] += repeated
    tally[at_.DUPLICATE_CHARS] += chars if repeated else 0
    if next_nonspace(masks[SPACE], at, stop) < stop:
        tally[at_.NONBLANK] += 1
        tally[at_.TERMINAL_LINES] += (marks[decode(data, last_char(data, base + stop))] & TERMINAL) != 0
        tally[at_.SHORT] += chars <= SHORT_LINE_CHARS
    elif repeated:
        tally[at_.BLANK_DUPLICATE_CHARS] += chars
    return key


@part
def next_nonspace(space: Any, start: Any, end: Any) -> Any:
    """The first position from ``start`` on that is not white space, or ``end``."""
    while start < end and (space[start >> 6] >> np.uint64(start & 63)) & np.uint64(1):
        start += 1
    return start


@part
def _paragraph(at: Any, stop: Any, body: Any, key: Any, paragraph: Any, context: Any, tally: Any) -> Any:
    """Add a line to the open paragraph, or close it at an empty line or the end; returns the paragraph's hash.

    Paragraphs are those of the stripped text, parted by two or more newlines. They are equal where their lines are.
    """
    data, base, end, high, masks, _marks, _classes, _starts, _sentences, seen, document, mask = context
    first, last = max(at, body[0]), min(stop, body[1])
    if last > first:
        if first != at or last != stop:
            key = hash_bytes(data, base + first, base + last)
        # The newline between two lines of a paragraph is one of its characters.
        tally[at_.PARAGRAPH_CHARS] += _chars(first, last, high, masks) + (paragraph != 0)
        paragraph = finish(paragraph + key) | np.uint64(1)
    if paragraph != 0 and (stop == at or stop >= end):
        if _seen_before(paragraph, BY_PARAGRAPH, tally[at_.PARAGRAPHS], seen, document, mask):
            tally[at_.PARAGRAPH_DUPLICATES] += 1
            tally[at_.PARAGRAPH_DUPLICATE_CHARS] += tally[at_.PARAGRAPH_CHARS]
        tally[at_.PARAGRAPHS] += 1
        tally[at_.PARAGRAPH_CHARS] = 0
        paragraph = np.uint64(0)
    return paragraph


@part
def _break_lines(
    at: Any, stop: Any, key: Any, word: Any, last_word: Any, row: Any, context: Any, odd: Any, tally: Any
) -> Any:
    """The lines that str.splitlines() sees between two newlines, whose hash is ``key``; returns the word after them."""
    data, base, end, _high, masks, _marks, _classes, starts, _sentences, _seen, _document, _mask = context
    piece = at
    while True:
        cut = next_bit(masks[BREAK], piece, stop)
        # The end of the text, and the newline of a carriage return and newline, do not begin another line.
        nothing = piece == stop and (stop == end or (piece > at and data[base + piece - 1] == CARRIAGE_RETURN))
        if not nothing:
            first, last = strip_span(masks[SPACE], piece, cut)
            tally[at_.LINES] += 1
            if first < last:
                code = decode(data, base + first)
                tally[at_.BULLETS] += code in (BULLET, HYPHEN)
                tally[at_.ELLIPSES] += ends_in_ellipsis(data, base + first, base + last)
                until = nonnegative(word)
                while until < last_word and starts[until] < base + last:
                    until += 1
                whole = key if first == at and last == stop else np.uint64(0)
                _c4_line(first, last, whole, word, until, row, context, odd, tally)
                word = until
        if cut >= stop:
            return word
        piece = cut + char_width(data[base + cut])


@part
def ends_in_ellipsis(data: Any, start: Any, end: Any) -> Any:
    """Whether the text ends in three dots or in U+2026."""
    if end - start < 3:
        return False
    if data[end - 1] == DOT:
        return data[end - 2] == DOT and data[end - 3] == DOT
    return data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6


@part
def _c4_line(
    first: Any, last: Any, whole: Any, word: Any, until: Any, row: Any, context: Any, odd: Any, tally: Any
) -> None:
    """Judge one stripped line by C4's rules; if the relaxed ones keep it, FineWeb's signals go on with it."""
    data, base, _end, high, masks, marks, _classes, _starts, sentences, seen, document, mask = context
    inside = 1 + sentences[until] - sentences[min(until, word + 1)]
    verdict = judge_line(data, base, first, last, inside, masks, tally)
    if verdict == KEPT_RELAXED:
        chars = _chars(first, last, high, masks)
        key = whole if whole else hash_bytes(data, base + first, base + last)
        repeated = _seen_before(key, BY_KEPT_LINE, tally[at_.AFTER_LINES], seen, document, mask)
        terminal = marks[decode(data, last_char(data, base + last))] & TERMINAL
        tally[at_.AFTER_WORDS] += until - word
        _after_c4(chars, repeated, terminal, tally)
    elif verdict == ODD:
        _odd_line(base + first, base + last, row, context, odd, tally)


@inlined
def _after_c4(chars: Any, repeated: Any, terminal: Any, tally: Any) -> None:
    """FineWeb's counts of one line that C4 keeps."""
    tally[at_.AFTER_LINES] += 1
    tally[at_.AFTER_CHARS] += chars
    tally[at_.AFTER_DUPLICATE_CHARS] += chars if repeated else 0
    tally[at_.AFTER_TERMINAL] += terminal != 0
    tally[at_.AFTER_SHORT] += chars <= SHORT_LINE_CHARS


@part
def _odd_line(start: Any, end: Any, row: Any, context: Any, odd: Any, tally: Any) -> None:
    """Judge a line on its copy; a copy that is kept waits in ``odd`` to be split into words and sentences."""
    data, _base, _end, _high, _masks, marks, classes, _starts, _sentences, seen, document, mask = context
    k = odd.count[0]
    at = odd.bounds[k]
    stop, kept = judge_odd_line(data, start, end, classes, marks, tally, at_.C4, at_.C4_RELAXED, odd.text, at)
    if kept & 2 and stop > at:
        chars = count_chars(odd.text, at, stop)
        key = hash_bytes(odd.text, at, stop)
        repeated = _seen_before(key, BY_KEPT_LINE, tally[at_.AFTER_LINES], seen, document, mask)
        _after_c4(chars, repeated, marks[decode(odd.text, last_char(odd.text, stop))] & TERMINAL, tally)
        odd.bounds[k + 1] = stop
        odd.rows[k] = row
        odd.kept[k] = kept
        odd.count[0] = k + 1


@part
def _write(data: Any, base: Any, start: Any, end: Any, n_chars: Any, newlines: Any, tally: Any, row: Any) -> None:
    row[0] = tally[at_.NONBLANK]
    if tally[at_.LINES]:
        row[1] = tally[at_.BULLETS] / tally[at_.LINES]
        row[2] = tally[at_.ELLIPSES] / tally[at_.LINES]
    if end > start:
        # re.split leaves an empty string before a leading and after a trailing newline; two of them are equal.
        open_ends = int(data[base + start] == 0x0A) + int(data[base + end - 1] == 0x0A)
        row[3] = (tally[at_.DUPLICATES] + (open_ends == 2)) / (tally[at_.NONEMPTY] + open_ends)
        row[4] = tally[at_.DUPLICATE_CHARS] / n_chars
        row[5] = tally[at_.PARAGRAPH_DUPLICATES] / max(1, tally[at_.PARAGRAPHS])
        row[6] = tally[at_.PARAGRAPH_DUPLICATE_CHARS] / n_chars
    if tally[at_.NONBLANK]:
        row[7] = tally[at_.TERMINAL_LINES] / tally[at_.NONBLANK]
        row[8] = tally[at_.SHORT] / tally[at_.NONBLANK]
        row[9] = (tally[at_.DUPLICATE_CHARS] - tally[at_.BLANK_DUPLICATE_CHARS]) / (n_chars - newlines)
