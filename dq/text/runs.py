"""Long runs of letters, of digits, of white space or of other marks: what a tokenizer's merging may take long for.

Text hardly has any, so that is asked of bytes first: a run of n characters holds a whole block of n/2 bytes of which no
two are surely of different kinds.
"""

from __future__ import annotations

import functools

import numpy as np

from dq.arrays import I64, U8
from dq.text.buffers import TextBatch
from dq.text.characters import character_classes
from dq.text.kernels.flags import DIGIT, LETTER, SPACE

A_LETTER, A_DIGIT, A_SPACE, A_MARK = KINDS = (1, 2, 4, 8)
UNSURE = 15  # of any kind: what one version of Unicode does not know, or libraries take for different things
ONE_IN = 16  # bytes of a block
FILE_SEPARATORS = slice(0x1C, 0x20)  # white space for Python, and not by Unicode


def rows_with_long_runs(batch: TextBatch, characters: int) -> I64:
    """The rows with a run of as many characters of one kind, or more: int64, ascending; in doubt a row is one."""
    block, first = characters // 2, int(batch.offsets[0])
    whole = (int(batch.offsets[-1]) - first) // block
    blocks = batch.data[first : first + whole * block].reshape(whole, block)
    places = np.arange(whole)
    for step in (ONE_IN, 1):  # a few bytes tell nearly all blocks
        places = places[np.bitwise_and.reduce(_byte_kinds()[blocks[places, ::step]], axis=1) != 0]
    rows = np.unique(np.searchsorted(batch.offsets, first + places * block, side="right") - 1)
    return rows[[_longest_run(batch.data[batch.offsets[row] : batch.offsets[row + 1]]) >= characters for row in rows]]


def _longest_run(data: U8) -> int:
    """Characters of the longest run of a text in UTF-8."""
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), "<u4")
    kinds = _kinds()[codes]
    ends = [np.flatnonzero(np.concatenate([[True], (kinds & kind) == 0, [True]])) for kind in KINDS]
    return int(max(np.diff(places).max() for places in ends)) - 1


@functools.cache
def _kinds() -> U8:
    """Of every code point its kind: uint8, shape (0x110000,)."""
    classes = character_classes()
    kinds = np.full(len(classes), UNSURE, np.uint8)
    kinds[classes != 0] = A_MARK
    for kind, bit in ((A_LETTER, LETTER), (A_DIGIT, DIGIT), (A_SPACE, SPACE)):
        kinds[classes & bit != 0] = kind
    kinds[FILE_SEPARATORS] = UNSURE
    kinds.setflags(write=False)
    return kinds


@functools.cache
def _byte_kinds() -> U8:
    """Of every byte the kinds that its character may have: uint8, shape (256,)."""
    return np.concatenate([_kinds()[:0x80], np.full(0x80, UNSURE, np.uint8)])
