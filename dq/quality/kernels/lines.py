"""Line and paragraph signals, each by the definition of the rule set that judges it.

Sources differ on what a line is. Gopher's bullets and ellipses and C4 use ``str.splitlines``; Gopher's repetition
splits at runs of newlines; FineWeb splits at every newline and leaves out blank lines. One walk serves all.
Lines are compared by 64-bit hash. Positions count from the first byte of the batch, as the masks do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dq.arrays import F64, I64, U8, U64
from dq.quality.kernels import tally as at_
from dq.quality.kernels.batch import SubBatch
from dq.quality.kernels.c4 import KEPT_RELAXED, ODD, judge_line
from dq.quality.kernels.c4_rewrite import judge_odd_line
from dq.quality.signals import AT
from dq.text.kernels.bits import nonnegative
from dq.text.kernels.blocks import BREAK, CONTINUATION, HIGH, NEWLINE, SPACE
from dq.text.kernels.flags import TERMINAL, TextTables
from dq.text.kernels.hash import finish, hash_bytes
from dq.text.kernels.jit import inlined, part, plain_kernel
from dq.text.kernels.scan import count_bits, next_bit, strip_span
from dq.text.kernels.utf8 import char_width, count_chars, decode, last_char

SHORT_LINE_CHARS = 30  # datatrove FineWebQualityFilter(short_line_length=30): a short line has 30 characters or fewer
DOT, HYPHEN, BULLET, CARRIAGE_RETURN, NEWLINE_BYTE = 0x2E, 0x2D, 0x2022, 0x0D, 0x0A
BY_LINE, BY_PARAGRAPH, BY_KEPT_LINE = 0, 1, 2  # which table of hashes


class OddLines(NamedTuple):
    """Lines that C4 keeps after a rewrite, still to be split into words."""

    text: U8
    """The lines, one after another."""
    bounds: I64
    """Where each begins in ``text``, and where the last ends."""
    rows: I64
    """Document of each line."""
    kept: U8
    """Bit 0 where C4 keeps it, bit 1 where C4 without terminal marks does."""
    written: I64
    """One number: how many lines there are."""


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


class SeenLines(NamedTuple):
    """Tables of the lines that a document has had, one by each of three definitions."""

    keys: U64
    """(3, lines): hashes."""
    slots: I64
    """(3, a power of two): document << 32 | number of the line + 1, so no table is cleared between documents."""
    document: int = 0
    """Number of the document at hand, from 1 on."""
    slot_mask: int = 0
    """Slots that its lines need, less one."""


def seen_lines(most: int) -> SeenLines:
    """Empty tables for documents of at most so many lines."""
    return SeenLines(np.empty((3, most), np.uint64), np.zeros((3, max(8, 1 << (2 * most - 1).bit_length())), np.int64))


class Document(NamedTuple):
    """The document whose lines are measured."""

    batch: SubBatch
    tables: TextTables
    seen: SeenLines
    row: int
    """Its number in the whole batch."""
    base: int
    """Where its sub-batch begins in the data: masks count from there."""
    end: int
    """Where it ends, from ``base`` on."""
    high: bool
    """Whether it has bytes outside ASCII."""


@plain_kernel
def most_lines(batch: SubBatch) -> int:
    """The most lines that any definition finds in one of the documents, or more; at least one."""
    base, longest = batch.offsets[batch.rows[0]], 1
    for row in range(batch.rows[0], batch.rows[1]):
        longest = max(longest, _most_lines(batch.offsets[row] - base, batch.offsets[row + 1] - base, batch.masks))
    return longest


@plain_kernel
def measure_lines(batch: SubBatch, tables: TextTables, seen: SeenLines, odd: OddLines, tallies: I64, out: F64) -> None:
    """Columns of lines (a row of ``out`` a document of the whole batch), and all counts of ``tally`` (``tallies``).

    seen: `seen_lines` for the most lines of any of the documents. odd: gains lines; the caller empties it.
    """
    base, bounds = batch.offsets[batch.rows[0]], batch.words.bounds
    for row in range(batch.rows[0], batch.rows[1]):
        start, end = batch.offsets[row] - base, batch.offsets[row + 1] - base
        local, tally = row - batch.rows[0], tallies[row]
        high = count_bits(batch.masks[HIGH], start, end) > 0
        newlines = count_bits(batch.masks[NEWLINE], start, end)
        slots, most = 8, _most_lines(start, end, batch.masks)
        while slots < 2 * most:
            slots *= 2
        before = SeenLines(seen.keys, seen.slots, local + 1, slots - 1)
        document = Document(batch, tables, before, row, base, end, high)
        body = strip_span(batch.masks[SPACE], start, end)
        word = bounds[local]
        paragraph = np.uint64(0)
        at = start
        for _ in range(newlines + 1):
            stop = next_bit(batch.masks[NEWLINE], at, end)
            key = _newline_line(at, stop, document, tally)
            paragraph = _paragraph(at, stop, body, key, paragraph, document, tally)
            word = _break_lines(at, stop, key, word, bounds[local + 1], document, odd, tally)
            at = stop + 1
        _write(batch.data[base + start : base + end], batch.chars[local], newlines, tally, out[row])


@inlined
def _most_lines(start: int, end: int, masks: U64) -> Any:
    """No definition finds more lines than this."""
    return 1 + count_bits(masks[NEWLINE], start, end) + count_bits(masks[BREAK], start, end)


@inlined
def _chars(start: int, end: int, high: bool, masks: U64) -> int:
    """Code points between two positions."""
    return end - start - count_bits(masks[CONTINUATION], start, end) if high else end - start


@inlined
def _seen_before(key: Any, which: int, k: int, seen: SeenLines) -> bool:
    """Whether a key was seen in this document; enters it as number ``k`` where not."""
    keys, slots = seen.keys, seen.slots
    slot = np.int64(key & np.uint64(seen.slot_mask))
    while slots[which, slot] >> 32 == seen.document:
        if keys[which, (slots[which, slot] & 0xFFFFFFFF) - 1] == key:
            return True
        slot = (slot + 1) & seen.slot_mask
    keys[which, k] = key
    slots[which, slot] = seen.document << 32 | (k + 1)
    return False


@part
def _newline_line(at: int, stop: int, document: Document, tally: I64) -> Any:
    """One line between newlines: Gopher's repetition and FineWeb's rules; returns its hash."""
    data, masks = document.batch.data, document.batch.masks
    at, stop, base = nonnegative(at), nonnegative(stop), nonnegative(document.base)
    if stop == at:
        return np.uint64(0)
    chars = _chars(at, stop, document.high, masks)
    key = hash_bytes(data, base + at, base + stop)
    repeated = _seen_before(key, BY_LINE, tally[at_.NONEMPTY], document.seen)
    tally[at_.NONEMPTY] += 1
    tally[at_.DUPLICATES] += repeated
    tally[at_.DUPLICATE_CHARS] += chars if repeated else 0
    if next_nonspace(masks[SPACE], at, stop) < stop:
        tally[at_.NONBLANK] += 1
        tally[at_.TERMINAL_LINES] += (document.tables.marks[decode(data, last_char(data, base + stop))] & TERMINAL) != 0
        tally[at_.SHORT] += chars <= SHORT_LINE_CHARS
    elif repeated:
        tally[at_.BLANK_DUPLICATE_CHARS] += chars
    return key


@part
def next_nonspace(space: U64, start: int, end: int) -> int:
    """The first position from ``start`` on that is not white space, or ``end``."""
    while start < end and (space[start >> 6] >> np.uint64(start & 63)) & np.uint64(1):
        start += 1
    return start


@part
def _paragraph(
    at: int, stop: int, body: tuple[int, int], key: Any, paragraph: Any, document: Document, tally: I64
) -> Any:
    """Add a line to the open paragraph, or close it at an empty line or the end; returns the paragraph's hash.

    Paragraphs are those of the stripped text, parted by two or more newlines. They are equal where their lines are.
    """
    first, last = max(at, body[0]), min(stop, body[1])
    if last > first:
        if first != at or last != stop:
            key = hash_bytes(document.batch.data, document.base + first, document.base + last)
        # The newline between two lines of a paragraph is one of its characters.
        chars = _chars(first, last, document.high, document.batch.masks)
        tally[at_.PARAGRAPH_CHARS] += chars + (paragraph != 0)
        paragraph = finish(paragraph + key) | np.uint64(1)
    if paragraph != 0 and (stop == at or stop >= document.end):
        if _seen_before(paragraph, BY_PARAGRAPH, tally[at_.PARAGRAPHS], document.seen):
            tally[at_.PARAGRAPH_DUPLICATES] += 1
            tally[at_.PARAGRAPH_DUPLICATE_CHARS] += tally[at_.PARAGRAPH_CHARS]
        tally[at_.PARAGRAPHS] += 1
        tally[at_.PARAGRAPH_CHARS] = 0
        paragraph = np.uint64(0)
    return paragraph


@part
def _break_lines(
    at: int, stop: int, key: Any, word: int, last_word: int, document: Document, odd: OddLines, tally: I64
) -> int:
    """The lines that str.splitlines() sees between two newlines, whose hash is ``key``; returns the word after them."""
    data, masks, starts, base = document.batch.data, document.batch.masks, document.batch.words.starts, document.base
    piece = at
    while True:
        cut = next_bit(masks[BREAK], piece, stop)
        # The end of the text, and the newline of a carriage return and newline, do not begin another line.
        nothing = piece == stop and (stop == document.end or (piece > at and data[base + piece - 1] == CARRIAGE_RETURN))
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
                _c4_line(first, last, whole, word, until, document, odd, tally)
                word = until
        if cut >= stop:
            return word
        piece = cut + char_width(data[base + cut])


@part
def ends_in_ellipsis(data: U8, start: int, end: int) -> Any:
    """Whether the text ends in three dots or in U+2026."""
    if end - start < 3:
        return False
    if data[end - 1] == DOT:
        return data[end - 2] == DOT and data[end - 3] == DOT
    return data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6


@part
def _c4_line(
    first: int, last: int, whole: Any, word: int, until: int, document: Document, odd: OddLines, tally: I64
) -> None:
    """Judge one stripped line by C4's rules; if the relaxed ones keep it, FineWeb's signals go on with it."""
    data, masks, sentences, base = document.batch.data, document.batch.masks, document.batch.sentences, document.base
    inside = 1 + sentences[until] - sentences[min(until, word + 1)]
    verdict = judge_line(data, base, first, last, inside, masks, tally)
    if verdict == KEPT_RELAXED:
        chars = _chars(first, last, document.high, masks)
        key = whole if whole else hash_bytes(data, base + first, base + last)
        repeated = _seen_before(key, BY_KEPT_LINE, tally[at_.AFTER_LINES], document.seen)
        terminal = document.tables.marks[decode(data, last_char(data, base + last))] & TERMINAL
        tally[at_.AFTER_WORDS] += until - word
        _after_c4(chars, repeated, terminal, tally)
    elif verdict == ODD:
        _odd_line(base + first, base + last, document, odd, tally)


@inlined
def _after_c4(chars: int, repeated: bool, terminal: int, tally: I64) -> None:
    """FineWeb's counts of one line that C4 keeps."""
    tally[at_.AFTER_LINES] += 1
    tally[at_.AFTER_CHARS] += chars
    tally[at_.AFTER_DUPLICATE_CHARS] += chars if repeated else 0
    tally[at_.AFTER_TERMINAL] += terminal != 0
    tally[at_.AFTER_SHORT] += chars <= SHORT_LINE_CHARS


@part
def _odd_line(start: int, end: int, document: Document, odd: OddLines, tally: I64) -> None:
    """Judge a line on its copy; a copy that is kept waits in ``odd`` to be split into words and sentences."""
    marks, k = document.tables.marks, odd.written[0]
    at = odd.bounds[k]
    stop, kept = judge_odd_line(document.batch.data, start, end, document.tables, tally, odd.text, at)
    if kept & 2 and stop > at:
        chars = count_chars(odd.text, at, stop)
        key = hash_bytes(odd.text, at, stop)
        repeated = _seen_before(key, BY_KEPT_LINE, tally[at_.AFTER_LINES], document.seen)
        _after_c4(chars, repeated, marks[decode(odd.text, last_char(odd.text, stop))] & TERMINAL, tally)
        odd.bounds[k + 1] = stop
        odd.rows[k] = document.row
        odd.kept[k] = kept
        odd.written[0] = k + 1


@part
def _write(text: U8, n_chars: int, newlines: int, tally: I64, columns: F64) -> None:
    columns[AT.line_count] = tally[at_.NONBLANK]
    if tally[at_.LINES]:
        columns[AT.bullet_line_fraction] = tally[at_.BULLETS] / tally[at_.LINES]
        columns[AT.ellipsis_line_fraction] = tally[at_.ELLIPSES] / tally[at_.LINES]
    if text.shape[0]:
        # re.split leaves an empty string before a leading and after a trailing newline; two of them are equal.
        open_ends = int(text[0] == NEWLINE_BYTE) + int(text[text.shape[0] - 1] == NEWLINE_BYTE)
        duplicates = tally[at_.DUPLICATES] + (open_ends == 2)
        columns[AT.duplicate_line_fraction] = duplicates / (tally[at_.NONEMPTY] + open_ends)
        columns[AT.duplicate_line_char_fraction] = tally[at_.DUPLICATE_CHARS] / n_chars
        columns[AT.duplicate_paragraph_fraction] = tally[at_.PARAGRAPH_DUPLICATES] / max(1, tally[at_.PARAGRAPHS])
        columns[AT.duplicate_paragraph_char_fraction] = tally[at_.PARAGRAPH_DUPLICATE_CHARS] / n_chars
    if tally[at_.NONBLANK]:
        columns[AT.terminal_punctuation_line_fraction] = tally[at_.TERMINAL_LINES] / tally[at_.NONBLANK]
        columns[AT.short_line_fraction] = tally[at_.SHORT] / tally[at_.NONBLANK]
        repeated = tally[at_.DUPLICATE_CHARS] - tally[at_.BLANK_DUPLICATE_CHARS]
        columns[AT.duplicate_nonblank_line_char_fraction] = repeated / (n_chars - newlines)
