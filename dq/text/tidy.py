r"""Texts as the signals see them, so that neither a file's line ends nor blanks that no reader sees decide anything.

Every line end of ``str.splitlines`` (``\n``, ``\r\n``, ``\r``, form feed, U+0085, U+2028, ...) is one ``\n``; white
space at the ends of lines and of the text is gone; any other white-space character is a space; soft hyphens, marks of
direction, zero-width spaces and byte order marks, which show nothing, are gone. What joins letters (U+200C, U+200D)
stays: it is spelling. Letters and their marks are composed (NFC), so that an accent is counted alike however it is
written. The texts themselves are never rewritten by this.
"""

from __future__ import annotations

import functools

import numpy as np

from dq.arrays import U8, read_only
from dq.text.buffers import TextBatch
from dq.text.characters import CODE_POINTS, character_classes, code_points, marks
from dq.text.kernels.flags import BREAK, SPACE
from dq.text.kernels.nfc import MOST_BYTES, compose_rows, needs_composing
from dq.text.kernels.tidy import IS_BREAK, IS_INVISIBLE, IS_SPACE, tidy_rows
from dq.text.nfc import nfc_tables

INVISIBLE_RANGES = "00AD 200B 200E-200F 202A-202E 2060 2066-2069 FEFF"


class Tidier:
    """Makes tidy texts in arrays that it uses again and again: one for each thread."""

    def __init__(self) -> None:
        self._out = np.empty(0, np.uint8)
        self._bounds = np.zeros(1, np.int64)
        self._tail = np.empty(66, np.uint8)

    def tidy(self, batch: TextBatch, rows: tuple[int, int]) -> TextBatch:
        """The same batch, of which only the given rows are there, and tidy; until the next call."""
        data, offsets = read_only(batch.data), read_only(batch.offsets)
        if needs_composing(data, offsets, rows, nfc_tables()):  # nearly no text
            composed = np.empty(MOST_BYTES * int(offsets[rows[1]] - offsets[rows[0]]), np.uint8)
            places = np.empty(len(offsets), np.int64)
            compose_rows(data, offsets, rows, nfc_tables(), composed, places)
            data, offsets = read_only(composed), read_only(places)
        size = int(offsets[rows[1]] - offsets[rows[0]])
        if len(self._out) < size:
            self._out = np.empty(max(size, 2 * len(self._out)), np.uint8)
        if len(self._bounds) < len(offsets):
            self._bounds = np.empty(len(offsets), np.int64)
        tidy_rows(data, offsets, rows, tidy_table(), self._tail, self._out, self._bounds)
        bounds = self._bounds[: len(offsets)]
        return TextBatch(read_only(self._out[: bounds[rows[1]]]), read_only(bounds))


def tidied(batch: TextBatch) -> TextBatch:
    """All texts, tidy."""
    return Tidier().tidy(batch, (0, len(batch)))


@functools.cache
def tidy_table() -> U8:
    """What the kernel asks of every code point: uint8, shape (0x110000,)."""
    table = np.zeros(CODE_POINTS, np.uint8)
    table[(character_classes() & SPACE) != 0] |= IS_SPACE
    table[(marks() & BREAK) != 0] |= IS_BREAK
    table[code_points(INVISIBLE_RANGES)] |= IS_INVISIBLE
    table.setflags(write=False)
    return table
