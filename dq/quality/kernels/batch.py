"""What the signal kernels work on: some documents of a batch, with their words and bit masks."""

from __future__ import annotations

from typing import NamedTuple

from dq.arrays import I32, I64, U8, U64
from dq.text.kernels.flags import WordArrays


class SubBatch(NamedTuple):
    """Documents that fit the cache together; ``local`` numbers count them from 0."""

    data: U8
    """UTF-8 of the whole batch."""
    offsets: I64
    """Where each document of the whole batch begins in ``data``, and where the last ends."""
    rows: tuple[int, int]
    """The first document, and the one after the last."""
    masks: U64
    """Bits of every byte by property (rows of the scan), from the first byte of these documents on."""
    words: WordArrays
    """Their words."""
    sentences: I32
    """Sentence starts before each word, the first of each document left out; `measure_documents` fills it."""
    chars: I64
    """Characters of each document; `measure_documents` fills it."""
