"""Shingles: the set of hashed n-grams that stands for a document.

A shingle is ``ngram`` consecutive units, hashed to 64 bits; `dq.dedup.normalization` says what a unit is. Nothing is
ASCII-only and accents stay: "Café" and "cafe" differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.arrays import I64, U64, offsets_of, read_only
from dq.dedup.config import ShingleConfig
from dq.dedup.kernels.shingles import shingle_documents
from dq.dedup.normalization import rules
from dq.text import Texts, text_batch


@dataclass(frozen=True)
class Shingles:
    """Sorted, unique 64-bit shingle hashes of n documents.

    ``hashes`` is uint64; those of document i are ``hashes[offsets[i]:offsets[i + 1]]``, with int64 ``offsets`` (n + 1).
    """

    hashes: U64
    offsets: I64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, document: int) -> U64:
        """The shingles of one document, sorted and unique."""
        return self.hashes[self.offsets[document] : self.offsets[document + 1]]


def shingle(
    texts: Texts,
    config: ShingleConfig | None = None,
    *,
    documents: I64 | None = None,
) -> Shingles:
    """Shingles of every text, or of the chosen ``documents`` (row numbers) only."""
    config = config or ShingleConfig()
    batch = text_batch(texts)
    chosen = np.arange(len(batch)) if documents is None else documents.astype(np.int64, copy=False)
    fixed = (read_only(batch.data), read_only(batch.offsets), read_only(chosen), rules(config))
    lengths = np.zeros(len(chosen), np.int64)
    shingle_documents(*fixed, read_only(lengths), lengths, np.empty(0, np.uint64))
    starts = offsets_of(lengths)
    room = np.empty(int(starts[-1]), np.uint64)
    if room.size:
        shingle_documents(*fixed, read_only(starts[:-1]), lengths, room)
    offsets = offsets_of(lengths)
    if offsets[-1] == starts[-1]:
        return Shingles(room, offsets)
    packed = np.empty(int(offsets[-1]), np.uint64)
    for i in np.flatnonzero(lengths):
        packed[offsets[i] : offsets[i + 1]] = room[starts[i] : starts[i] + lengths[i]]
    return Shingles(packed, offsets)
