"""Which places of texts a dose takes, and texts with other bytes there: whole batches, no Python for a text.

Places hash (content of the text, number of the place, seed): nested in the dose, and the same whatever the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from dq.arrays import F64, I64, U8, Bools, offsets_of
from dq.text.buffers import TextBatch, Texts, arrow_array, text_batch
from dq.text.cleaner import Cleaned
from dq.text.hashing import content_keys, mix64

BATCH_BYTES = 2_000_000
"""Of text at a time: what places take is some fifty times as much."""
MANY_SD = 6
"""Of a binomial count, which none is above in a lifetime of texts."""
WHERE = 0x7768657265  # names this use of the keys

Edit = Callable[[TextBatch], tuple[TextBatch, int, int]]
"""A batch, rewritten; how much of it changed, and of how much."""


def edited(texts: Texts, edit: Edit) -> Cleaned:
    """Rewrite texts, a few megabytes at a time; counts ``changed`` and ``of``."""
    batch = text_batch(texts)
    parts, changed_texts, changed, of = [], 0, 0, 0
    for first, end in _cuts(batch.offsets):
        begin = int(batch.offsets[first])
        few = TextBatch(batch.data[begin : int(batch.offsets[end])], batch.offsets[first : end + 1] - begin)
        done, some, among = edit(few)
        changed_texts += int((content_keys(few) != content_keys(done)).sum())
        changed, of = changed + some, of + among
        parts.append(arrow_array(done))
    return Cleaned(pa.chunked_array(parts, pa.large_string()), changed_texts, {"changed": changed, "of": of})


def _cuts(offsets: I64) -> list[tuple[int, int]]:
    """Texts first to end of each batch; a larger text is one alone."""
    cuts, first = [], 0
    while first < len(offsets) - 1:
        end = int(np.searchsorted(offsets, offsets[first] + BATCH_BYTES, side="right")) - 1
        cuts.append((first, max(end, first + 1)))
        first = cuts[-1][1]
    return cuts


def places_of_dose(counts: I64, batch: TextBatch, *, dose: float, seed: int) -> Bools:
    """Which of the places of all texts are taken: bool (sum of counts,); ``round(dose * n)`` of the n of each text."""
    owners = np.repeat(np.arange(len(counts)), counts)
    numbers = np.arange(len(owners)) - np.repeat(offsets_of(counts)[:-1], counts)
    hashes = mix64(content_keys(batch)[owners], numbers, seed, WHERE)
    wanted = np.rint(dose * counts).astype(np.int64)
    # Those with the lowest hashes. Hashes are uniform, so nearly all others are above a bound: the rest is sorted.
    bounds = (wanted + MANY_SD * np.sqrt(wanted) + MANY_SD**2) / np.maximum(counts, 1)
    low = np.flatnonzero(hashes < (np.minimum(bounds, 1 - 2.0**-53) * 2.0**64).astype(np.uint64)[owners])
    if (np.bincount(owners[low], minlength=len(counts)) < wanted).any():
        low = np.arange(len(owners))
    low = low[np.lexsort((hashes[low], owners[low]))]
    ranks = np.arange(len(low)) - np.searchsorted(owners[low], owners[low])
    taken = np.zeros(len(owners), np.bool_)
    taken[low[ranks < wanted[owners[low]]]] = True
    return taken


def joined(data: U8, begins: I64, lengths: I64) -> U8:
    """Stretches of bytes, one behind another: uint8."""
    shifts = np.repeat(begins - offsets_of(lengths)[:-1], lengths)
    return np.asarray(data[shifts + np.arange(len(shifts))])


def of_pieces(batch_size: int, owners: I64, pieces: tuple[U8, I64, I64]) -> TextBatch:
    """Texts of stretches of bytes, each of the text that owns it, in order."""
    data, begins, lengths = pieces
    sizes = np.bincount(owners, weights=lengths, minlength=batch_size).astype(np.int64)
    return TextBatch(joined(data, begins, lengths), offsets_of(sizes))


def draws(batch: TextBatch, owners: I64, numbers: I64, *, seed: int, use: int) -> F64:
    """A draw in [0, 1) for each place of each text."""
    hashes = mix64(content_keys(batch)[owners], numbers, seed, use)
    return np.asarray((hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53)
