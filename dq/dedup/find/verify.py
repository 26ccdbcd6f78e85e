"""Verified pairs: the exact similarity of every candidate, from the shingles themselves.

Candidates are verified in ranges of their left class, so memory is bounded whatever their number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from dq.arrays import Array, read_only
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.find.candidates import Candidates
from dq.dedup.find.class_shingles import ClassShingles
from dq.dedup.find.equivalence import EquivalenceClasses
from dq.dedup.kernels.verify import Bound, verify_pairs
from dq.executors import run_in_threads

PAIR_SCHEMA = {
    "left": pl.Int64,
    "right": pl.Int64,
    "intersection": pl.Int64,
    "union": pl.Int64,
    "similarity": pl.Float64,
}
BYTES_A_PAIR = 96
PAIRS_A_TASK = 4096  # a multiple of the next
PAIRS_A_RELEASE = 64  # a pair was seen to map 0.7 MB (the system maps what lies around): given back after so many
SCAN_PAIRS = 1 << 20
COUNTER_BITS = 24  # pairs are counted in so many ranges of classes at most


def needed_classes(candidates: Candidates, count: int) -> Array:
    """Bool (classes,): the classes in some candidate pair or large bucket."""
    needed = np.zeros(count, np.bool_)
    for pairs in _scan(candidates):
        needed[pairs.ravel()] = True
    for members in candidates.buckets:
        needed[members] = True
    return needed


def verify(
    candidates: Candidates,
    classes: EquivalenceClasses,
    shingles: ClassShingles,
    *,
    config: DedupConfig,
    resources: Resources,
) -> pl.DataFrame:
    """The candidate pairs at or above the threshold, as document numbers, sorted by left, then right."""
    bound = Bound(*config.exact_threshold.as_integer_ratio())
    tables = (read_only(shingles.file.array), read_only(shingles.starts), read_only(shingles.lengths))
    frames = []
    for pairs in _sorted_ranges(candidates, len(classes), resources.memory_bytes):
        counts = np.empty((2, len(pairs)), np.int64)

        def one(first: int, pairs: Array = pairs, counts: Array = counts) -> None:
            for at in range(first, min(first + PAIRS_A_TASK, len(pairs)), PAIRS_A_RELEASE):
                part = slice(at, at + PAIRS_A_RELEASE)
                verify_pairs(read_only(shingles.places(pairs[part])), *tables, bound, counts[0, part], counts[1, part])
                shingles.file.release()

        run_in_threads(one, range(0, len(pairs), PAIRS_A_TASK), threads=resources.threads)
        frames.append(_frame(pairs, counts, classes))
    return pl.concat([pl.DataFrame(schema=PAIR_SCHEMA), *frames])


def _frame(pairs: Array, counts: Array, classes: EquivalenceClasses) -> pl.DataFrame:
    common, union = counts
    proven = common >= 0
    left, right = (classes.representative[pairs[proven, side]] for side in (0, 1))
    common, union = common[proven], union[proven]
    values = {"left": left, "right": right, "intersection": common, "union": union, "similarity": common / union}
    return pl.DataFrame(values, schema=PAIR_SCHEMA)


def _scan(candidates: Candidates) -> Iterator[Array]:
    for path in candidates.files:
        with path.open("rb") as file:
            while len(values := np.fromfile(file, np.int64, 2 * SCAN_PAIRS)):
                yield values.reshape(-1, 2)


def _sorted_ranges(candidates: Candidates, classes: int, memory_bytes: int) -> Iterator[Array]:
    """The pairs in order, as many at a time as fit: each round scans the file for one range of left classes."""
    limit = max(1, memory_bytes // BYTES_A_PAIR)
    if candidates.count <= limit:
        edges = np.array([0, classes])
    else:
        shift = max(0, classes.bit_length() - COUNTER_BITS)
        totals = np.zeros((classes >> shift) + 1, np.int64)
        for pairs in _scan(candidates):
            totals += np.bincount(pairs[:, 0] >> shift, minlength=len(totals))
        edges = np.unique(np.searchsorted(np.cumsum(totals), np.arange(0, candidates.count, limit))) << shift
        edges = np.concatenate([edges, [classes]])
    for low, high in itertools.pairwise(edges):
        parts = [pairs[(pairs[:, 0] >= low) & (pairs[:, 0] < high)] for pairs in _scan(candidates)]
        chosen = np.concatenate([np.empty((0, 2), np.int64), *parts])
        yield chosen[np.lexsort((chosen[:, 1], chosen[:, 0]))]
