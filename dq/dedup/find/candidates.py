"""Candidate pairs from band buckets, within a bound of memory.

A band is a task, and within a band one range of hash values comes after another, so that sorting a band table of any
length needs ``memory_bytes`` at most. Each band leaves a file of pairs as they come; what else it finds is left by
tasks that may work on other machines:

    00000.pairs.i64     int64 (m, 2)
    00000.members.npy   int64, the members of its large buckets, one bucket after another
    00000.ends.npy      int64, where each of these ends
    00000.counts.npy    int64 (3,): pairs, those that shared a small bucket, and those too different to be verified
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import I64, Array, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.equivalence import ClassTables
from dq.dedup.find.ranges import by_ranges
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.kernels.candidates import BandTables, PairRules, emit_pairs, large_buckets
from dq.executors import run_in_threads
from dq.store.arrays import save_array

BYTES_A_ROW = 64  # of a band table being sorted: hash, member, both sorted, and what the sort needs
TASK_BYTES = 1_000_000_000  # for that, where workers are elsewhere
SCAN_ROWS = 1_000_000
PAIRS_AT_A_TIME = 1 << 18
FOUND = "candidates"
RECORD = np.dtype([("hash", np.uint64), ("row", np.int64)])


@dataclass(frozen=True)
class Candidates:
    """Candidate pairs of classes, in files, and the members of large buckets.

    ``compared`` pairs shared a small bucket; ``skipped`` of them had signatures too different to be verified.
    """

    files: tuple[Path, ...]
    """int64 (m, 2) each."""
    count: int
    compared: int
    skipped: int
    buckets: list[I64]


@dataclass(frozen=True)
class _BandTask:
    """A band to look through."""

    band: int
    folder: Path
    """Of the tables."""
    bands: Bands
    rules: PairRules
    memory_bytes: int

    def file(self, kind: str) -> Path:
        """One of its files."""
        return self.folder / FOUND / f"{self.band:05d}.{kind}"


@dataclass(frozen=True)
class _BandsTask:
    """Bands that one worker elsewhere looks through, one after another."""

    bands: tuple[_BandTask, ...]

    @property
    def output(self) -> Path:
        """What the last one found, counted."""
        return self.bands[-1].file("counts.npy")


@dataclass(frozen=True)
class _Found:
    """What a band holds beside its pairs."""

    counts: I64
    buckets: list[I64]


def find_candidates(
    tables: ClassTables,
    bands: Bands,
    *,
    max_bucket: int,
    frozen_from: int,
    folder: Path,
    memory_bytes: int,
    workers: ShardWorkers,
) -> Candidates:
    """The candidate pairs of all bands; two classes from ``frozen_from`` on are no candidates.

    Args:
        tables: in ``folder``.
        bands: how signatures are cut.
        max_bucket: larger ones give no pairs.
        frozen_from: of this many classes at least one is in each pair.
        folder: for what is found, in ``candidates/``.
        memory_bytes: for all bands at a time.
        workers: who look through bands.
    """
    (folder / FOUND).mkdir()
    rules = PairRules(bands.rows, bands.min_matches, max_bucket, frozen_from)
    at_a_time = min(workers.threads, bands.bands)
    each = memory_bytes // at_a_time if workers.executor is None else min(memory_bytes, TASK_BYTES)
    tasks = [_BandTask(band, folder, bands, rules, each) for band in range(bands.bands)]
    if workers.executor is None:
        found = run_in_threads(lambda task: _look_through(task, tables), tasks, threads=at_a_time)
    else:
        tables.flush()
        shares = [tuple(tasks[first :: workers.executor.workers]) for first in range(workers.executor.workers)]
        workers.run(_look_through_elsewhere, [_BandsTask(share) for share in shares if share])
        found = [_read(task) for task in tasks]
    count, compared, skipped = (int(total) for total in np.sum([one.counts for one in found], axis=0))
    buckets = [members for one in found for members in one.buckets]
    return Candidates(tuple(task.file("pairs.i64") for task in tasks), count, compared, skipped, buckets)


def _look_through(task: _BandTask, tables: ClassTables) -> _Found:
    mapped = BandTables(read_only(tables.digests.array), read_only(tables.hashes.array))
    max_bucket, counters, count = task.rules.max_bucket, np.zeros(2, np.int64), 0
    pairs = np.empty((max(PAIRS_AT_A_TIME, max_bucket * max_bucket), 2), np.int64)
    buckets: list[I64] = []
    with task.file("pairs.i64").open("wb") as file:
        for hashes, members in _ranges(tables.hashes.array[task.band], task.memory_bytes, path=task.file("range")):
            begin = 0
            while begin < len(hashes):
                written, begin = emit_pairs(hashes, members, mapped, task.rules, task.band, begin, pairs, counters)
                file.write(pairs[:written].tobytes())
                count += written
            buckets += _large(hashes, members, max_bucket)
            tables.release()
    return _Found(np.array([count, *counters]), buckets)


def _look_through_elsewhere(task: _BandsTask) -> None:
    for one in task.bands:
        found = _look_through(one, ClassTables.read(one.folder, one.bands))
        save_array(one.file("members.npy"), np.concatenate([np.empty(0, np.int64), *found.buckets]))
        save_array(one.file("ends.npy"), np.cumsum([len(members) for members in found.buckets], dtype=np.int64))
        save_array(one.file("counts.npy"), found.counts)


def _read(task: _BandTask) -> _Found:
    members, ends = np.load(task.file("members.npy")), np.load(task.file("ends.npy"))
    return _Found(np.load(task.file("counts.npy")), np.split(members, ends)[: len(ends)])


def _large(hashes: Any, members: Any, max_bucket: int) -> list[I64]:
    bounds = np.empty((len(hashes) // (max_bucket + 1) + 1, 2), np.int64)
    count = large_buckets(hashes, max_bucket, bounds)
    return [np.sort(members[begin:end]) for begin, end in bounds[:count]]


def _ranges(band: Array, memory_bytes: int, *, path: Path) -> Iterator[tuple[Any, Any]]:
    """Sorted hashes and their rows, for one range of hash values after the other."""
    parts = max(1, -(-len(band) * BYTES_A_ROW // memory_bytes))
    for records in by_ranges(_records(band), parts=parts, path=path):
        order = np.argsort(records["hash"])
        yield read_only(records["hash"][order]), read_only(records["row"][order])


def _records(band: Array) -> Iterator[Array]:
    for at in range(0, max(1, len(band)), SCAN_ROWS):
        hashes = band[at : at + SCAN_ROWS]
        records = np.empty(len(hashes), RECORD)
        records["hash"], records["row"] = hashes, np.arange(at, at + len(hashes))
        yield records
