"""Verified pairs: the exact similarity of every candidate, from the shingles themselves.

A task takes the pairs of one range of left documents, some at a time, with their shingles: memory is bounded whatever
their number.

    verified/00000.npy  int64 (m, 4): left, right, intersection, union; by left, then right
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, Array, distinct, read_only
from dq.dedup.config import DedupConfig
from dq.dedup.find.candidates import CandidateFiles
from dq.dedup.find.class_shingles import ShingleFiles
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.kernels.verify import Bound, verify_pairs
from dq.store.arrays import load_array, save_array

PAIR_SCHEMA = {
    "left": pl.Int64,
    "right": pl.Int64,
    "intersection": pl.Int64,
    "union": pl.Int64,
    "similarity": pl.Float64,
}
BYTES_A_PAIR = 96
DOCUMENTS_A_TASK = 1 << 20
TASKS_A_THREAD = 4  # at the least, so that all end at about the same time
SHINGLES_AT_A_TIME = 1 << 23  # 64 MB; those of one pair at the least


@dataclass(frozen=True)
class _Task:
    """A range of left documents."""

    number: int
    first: int
    end: int
    candidates: CandidateFiles
    shingles: ShingleFiles
    bound: Bound
    memory_bytes: int
    folder: Path

    @property
    def output(self) -> Path:
        """The verified pairs."""
        return self.folder / f"{self.number:05d}.npy"


def verify(
    candidates: CandidateFiles,
    shingles: ShingleFiles,
    *,
    documents: int,
    config: DedupConfig,
    folder: Path,
    memory_bytes: int,
    workers: ShardWorkers,
) -> pl.DataFrame:
    """The candidate pairs at or above the threshold, as document numbers, sorted by left, then right."""
    if documents <= DOCUMENTS_A_TASK:
        workers = workers.here()
    at_least = 1 if workers.executor else min(TASKS_A_THREAD * workers.threads, documents)
    count = max(-(-documents // DOCUMENTS_A_TASK), at_least)
    bound, each = Bound(*config.exact_threshold.as_integer_ratio()), workers.memory_a_task(memory_bytes)
    edges = np.linspace(0, documents, count + 1).astype(np.int64).tolist()
    tasks = [
        _Task(number, first, end, candidates, shingles, bound, each, folder / "verified")
        for number, (first, end) in enumerate(pairwise(edges))
    ]
    workers.run(_verify, tasks)
    return _frame(np.concatenate([np.empty((0, 4), np.int64), *(load_array(task.output) for task in tasks)]))


def _frame(rows: Array) -> pl.DataFrame:
    left, right, common, union = rows.T
    values = {"left": left, "right": right, "intersection": common, "union": union, "similarity": common / union}
    return pl.DataFrame(values, schema=PAIR_SCHEMA)


def _verify(task: _Task) -> None:
    verified = [np.empty((0, 4), np.int64)]
    for pairs in _sorted(task, task.first, task.end):
        for some in _some(task, pairs):
            known = distinct(some.ravel())
            shingles, counts = task.shingles.of(known), np.empty((2, len(some)), np.int64)
            tables = read_only(shingles.hashes), read_only(shingles.offsets[:-1]), read_only(np.diff(shingles.offsets))
            verify_pairs(read_only(np.searchsorted(known, some)), *tables, task.bound, *counts)
            proven = counts[0] >= 0
            verified.append(np.concatenate([some[proven], counts.T[proven]], axis=1))
    save_array(task.output, np.concatenate(verified))


def _sorted(task: _Task, first: int, end: int) -> Iterator[I64]:
    """The pairs of a range in order; in halves, where there are too many for memory."""
    pieces = task.candidates.pairs(first, end)
    if sum(map(len, pieces)) * BYTES_A_PAIR > task.memory_bytes and end - first > 1:
        middle = (first + end) // 2
        yield from _sorted(task, first, middle)
        yield from _sorted(task, middle, end)
    elif pieces:
        pairs = np.concatenate(pieces)
        yield pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _some(task: _Task, pairs: I64) -> Iterator[I64]:
    """Pairs whose shingles are held at a time."""
    known = distinct(pairs.ravel())
    sizes = task.shingles.lengths(known)[np.searchsorted(known, pairs)].sum(axis=1)
    cuts = np.flatnonzero(np.diff((np.cumsum(sizes) - sizes) // SHINGLES_AT_A_TIME)) + 1
    yield from np.split(pairs, cuts)
