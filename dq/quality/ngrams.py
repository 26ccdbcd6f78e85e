"""Byte n-gram models by interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998), as KenLM estimates them.

The probability of a byte after a history is the discounted share of the n-gram in what followed the history, plus what
the discounts left, times the probability after the history without its first byte; at the end stands 1/256. Shorter
n-grams count by how many different bytes stand before them. An n-gram of the longest kind that is rarer than
`min_count` is left out, and its share goes to the shorter history, so probabilities still sum to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.arrays import F32, F64, I64, U64
from dq.quality.kernels.ngram_model import count_sorted, merge_counts, write_ngrams
from dq.text import TextBatch

CHUNK_BYTES = 8 << 20  # of text whose n-grams are sorted together
FALLBACK = (0.5, 1.0, 1.5)  # discounts where counts of counts give none, as in KenLM


class NgramCounts:
    """How often each n-gram of some texts occurs: sorted n-grams, and their counts. Adding commutes."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.ngrams, self.counts = np.empty(0, np.uint64), np.empty(0, np.int64)

    def add_texts(self, batch: TextBatch) -> None:
        """Count the n-grams of texts, some megabytes at a time."""
        row, rows = 0, len(batch)
        while row < rows:
            until = int(np.searchsorted(batch.offsets, batch.offsets[row] + CHUNK_BYTES, "right")) - 1
            until = min(rows, max(row + 1, until))
            offsets = batch.offsets[row : until + 1]
            found = np.empty(int(offsets[-1] - offsets[0]), np.uint64)
            write_ngrams(batch.data, offsets, self.order, found)
            found.sort()
            counts = np.empty(len(found), np.int64)
            size = count_sorted(found, counts)
            self.add(found[:size], counts[:size])
            row = until

    def add(self, ngrams: U64, counts: I64) -> None:
        """Add what others have counted."""
        size = len(self.ngrams) + len(ngrams)
        out, out_counts = np.empty(size, np.uint64), np.empty(size, np.int64)
        size = merge_counts(self.ngrams, self.counts, ngrams, counts, out, out_counts)
        self.ngrams, self.counts = out[:size], out_counts[:size]


@dataclass(frozen=True)
class Estimated:
    """A model's numbers, n-grams by length and then as numbers.

    Attributes:
        keys: the n-grams; a bit above the highest byte says how long each is.
        shares: of each n-gram, its discounted share in what follows its history.
        weights: of each but the longest, how much the shorter history counts after it.
        base: the same without any history.
    """

    keys: U64
    shares: F32
    weights: F32
    base: float


def estimate(counts: NgramCounts, *, min_count: int) -> Estimated:
    """The model of all texts that were counted; there must be a byte."""
    order, levels = counts.order, [(counts.ngrams, counts.counts)]
    for _ in range(order - 1):
        endings = levels[-1][0] >> np.uint64(8)
        firsts = np.flatnonzero(np.concatenate([[True], endings[1:] != endings[:-1]]))
        levels.append((endings[firsts], np.diff(np.append(firsts, len(endings)))))
    levels.reverse()
    keys, shares, weights = [], [], []
    histories = np.zeros(1, np.uint64)
    for length, (ngrams, seen) in enumerate(levels, start=1):
        kept = seen >= (min_count if length == order else 1)
        share, left = _level(ngrams, seen, kept, histories=histories, length=length)
        weights.append(left)
        start = np.uint64((1 << (8 * length)) - 1)  # before a text; the highest number
        added = np.append(ngrams[kept], start) if length < order else ngrams[kept]
        keys.append(added | np.uint64(1 << (8 * length)))
        shares.append(np.append(share, 0.0) if length < order else share)
        histories = added
    flat = np.concatenate(weights[1:]) if order > 1 else np.empty(0)
    return Estimated(
        np.concatenate(keys),
        np.concatenate(shares).astype(np.float32),
        flat.astype(np.float32),
        float(weights[0][0]),
    )


def _level(
    ngrams: U64, seen: I64, kept: np.ndarray[tuple[int], np.dtype[np.bool_]], *, histories: U64, length: int
) -> tuple[F64, F64]:
    """Shares of the n-grams that are kept, and what each history leaves to the shorter one."""
    at = np.searchsorted(histories, ngrams & np.uint64((1 << (8 * (length - 1))) - 1))
    total = np.bincount(at, seen, minlength=len(histories))
    discount = np.array([0.0, *discounts(seen)])[np.minimum(seen, 3)]
    left = np.bincount(at, np.where(kept, discount, seen), minlength=len(histories))
    with np.errstate(invalid="ignore"):
        weights = np.where(total > 0, left / total, 1.0)
    return (seen - discount)[kept] / total[at[kept]], weights


def discounts(seen: I64) -> tuple[float, float, float]:
    """What is taken from counts of 1, of 2, and of 3 and more, by how many n-grams have which count."""
    ones, twos, threes, fours = (int((seen == count).sum()) for count in (1, 2, 3, 4))
    if min(ones, twos, threes) == 0:
        return FALLBACK
    y = ones / (ones + 2 * twos)
    found = (1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes)
    within = all(0 < one <= count for count, one in enumerate(found, start=1))
    return found if within else FALLBACK
