"""Candidate pairs from band buckets: a task for each part of each band.

A part is a range of hash values, so that sorting a band of any length needs so much memory and no more. Of those that
share a bucket the signatures are read, where they are. Each task leaves, for the next ones to look things up in:

    candidates/00000.00000.00000.pairs.npy  int64 (m, 2), by left, then right; some files, numbered
    candidates/00000.00000.members.npy      int64, ascending: documents in a pair or large bucket
    candidates/00000.00000.large.npy        int64, the members of its large buckets, one bucket after another
    candidates/00000.00000.found.npy        int64: pairs, those that shared a small bucket, those too different to be
                                            verified, and where each large bucket ends; written last

Where there is nothing to write, there is no file but the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import I64, U64, Array, between_groups, distinct, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.band_files import BandFiles
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.candidates import BandTables, PairRules, emit_pairs, hash_bands, large_buckets, mark_small_buckets
from dq.store.arrays import load_array, save_array

BYTES_A_ROW = 64  # of a part being sorted: hash, document, both sorted, and what the sort needs
MEMBERS_AT_A_TIME = 1 << 16  # of small buckets: their signatures and hashes take 50 MB
PAIRS_AT_A_TIME = 1 << 18
PAIRS_A_FILE = 1 << 21
COUNTS = 3  # that a task leaves


@dataclass(frozen=True)
class KnownSignatures:
    """Signatures of documents, those of an index included: these are numbered after all others."""

    files: SignatureFiles
    earlier: Path
    """uint32 (n, num_perm), of the index."""

    def of(self, documents: I64) -> Array:
        """uint32 (n, num_perm), of documents by their ascending numbers."""
        own = int(np.searchsorted(documents, self.files.documents))
        if own == len(documents):
            return self.files.signatures(documents)
        earlier = load_array(self.earlier, mapped=True)[documents[own:] - self.files.documents]
        return np.concatenate([self.files.signatures(documents[:own]), earlier])


@dataclass(frozen=True)
class CandidateFiles:
    """Looks up what was found."""

    folder: Path

    def members(self, first: int, end: int) -> I64:
        """The documents from ``first`` to before ``end`` that are in some pair or large bucket, ascending."""
        return distinct(np.concatenate([np.empty(0, np.int64), *self._between("members", first, end)]))

    def pairs(self, first: int, end: int) -> list[Array]:
        """The pairs of which the left document is from ``first`` to before ``end``: mapped, (m, 2) of each file."""
        return list(self._between("pairs", first, end))

    def _between(self, kind: str, first: int, end: int) -> Iterator[Array]:
        for path in sorted(self.folder.glob(f"*.{kind}.npy")):
            found = load_array(path, mapped=True)
            begin, stop = np.searchsorted(found if found.ndim == 1 else found[:, 0], (first, end))
            if begin < stop:
                yield found[begin:stop]


@dataclass(frozen=True)
class Candidates:
    """Candidate pairs, and the members of large buckets.

    ``compared`` pairs shared a small bucket; ``skipped`` of them had signatures too different to be verified.
    """

    files: CandidateFiles
    compared: int
    skipped: int
    buckets: list[I64]


@dataclass(frozen=True)
class _Task:
    """A part of a band to look through."""

    band: int
    part: int
    tables: BandFiles
    signatures: KnownSignatures
    bands: Bands
    rules: PairRules
    folder: Path

    def file(self, kind: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.band:05d}.{self.part:05d}.{kind}.npy"

    @property
    def output(self) -> Path:
        """What it found, counted."""
        return self.file("found")


def find_candidates(
    tables: BandFiles,
    signatures: KnownSignatures,
    bands: Bands,
    *,
    parts: int,
    max_bucket: int,
    folder: Path,
    workers: ShardWorkers,
) -> Candidates:
    """The candidate pairs of all bands; two documents of an index are none.

    Args:
        tables: the hashes.
        signatures: of the same documents.
        bands: how signatures are cut.
        parts: how hashes are.
        max_bucket: larger ones give no pairs.
        folder: for what is found, in ``candidates/``.
        workers: who look.
    """
    rules = PairRules(bands.rows, bands.min_matches, max_bucket, signatures.files.documents)
    found = folder / "candidates"
    tasks = [
        _Task(band, part, tables, signatures, bands, rules, found)
        for band in range(bands.bands)
        for part in range(parts)
    ]
    workers.run(_look_through, tasks)
    counts = [load_array(task.output) for task in tasks]
    _, compared, skipped = np.sum([count[:COUNTS] for count in counts], axis=0).tolist()
    buckets = [
        bucket for task, count in zip(tasks, counts, strict=True) for bucket in _large_of(task, ends=count[COUNTS:])
    ]
    return Candidates(CandidateFiles(found), compared, skipped, buckets)


def _large_of(task: _Task, *, ends: Array) -> list[I64]:
    """The members of each of its large buckets."""
    return np.split(load_array(task.file("large")), ends[:-1]) if len(ends) else []


def _look_through(task: _Task) -> None:
    hashes, documents = task.tables.piece(task.band, task.part)
    order = np.argsort(hashes)
    hashes, documents = hashes[order], documents[order]
    large = _large(hashes, documents, task.rules.max_bucket)
    small = np.zeros(len(hashes), np.bool_)
    mark_small_buckets(read_only(hashes), task.rules.max_bucket, small)
    counters, pairs = np.zeros(2, np.int64), _SortedPairs(task)
    for some, members in _buckets(hashes[small], documents[small]):
        for found in _emitted(task, some, members, counters=counters):
            pairs.add(found)
    pairs.write()
    if large:
        save_array(task.file("large"), np.concatenate(large))
    if several := [*large, *pairs.members]:
        save_array(task.file("members"), distinct(np.concatenate(several)))
    ends = np.cumsum([len(bucket) for bucket in large], dtype=np.int64)
    save_array(task.output, np.array([pairs.count, *counters, *ends]))


def _large(hashes: U64, documents: I64, max_bucket: int) -> list[I64]:
    bounds = np.empty((len(hashes) // (max_bucket + 1) + 1, 2), np.int64)
    count = large_buckets(read_only(hashes), max_bucket, bounds)
    return [np.sort(documents[begin:end]) for begin, end in bounds[:count]]


def _buckets(hashes: U64, documents: I64) -> Iterator[tuple[U64, I64]]:
    """Sorted hashes and their documents, cut between buckets."""
    begins = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
    cuts = between_groups(begins, MEMBERS_AT_A_TIME)
    yield from zip(np.split(hashes, cuts), np.split(documents, cuts), strict=True)


def _emitted(task: _Task, hashes: U64, documents: I64, *, counters: I64) -> Iterator[I64]:
    """The pairs of some buckets, as they come."""
    known = distinct(documents)
    tables, members = _tables(task, known), np.searchsorted(known, documents)
    rules = task.rules._replace(frozen_from=int(np.searchsorted(known, task.rules.frozen_from)))
    room = np.empty((max(PAIRS_AT_A_TIME, rules.max_bucket * rules.max_bucket), 2), np.int64)
    begin = 0
    while begin < len(hashes):
        written, begin = emit_pairs(
            read_only(hashes), read_only(members), tables, rules, task.band, begin, room, counters
        )
        yield known[room[:written]]


def _tables(task: _Task, documents: I64) -> BandTables:
    signatures = task.signatures.of(documents)
    hashes = np.empty((task.bands.bands, len(documents)), np.uint64)
    hash_bands(read_only(signatures), task.bands.bands, task.bands.rows, hashes)
    return BandTables(read_only(signatures.astype(np.uint8)), read_only(hashes))


class _SortedPairs:
    """Pairs as they come, written in files of some millions, each sorted."""

    def __init__(self, task: _Task) -> None:
        self.count, self.members = 0, list[I64]()
        self._task, self._waiting, self._held, self._files = task, list[I64](), 0, 0

    def add(self, pairs: I64) -> None:
        """Take some, (m, 2)."""
        self.count, self._held = self.count + len(pairs), self._held + len(pairs)
        self._waiting.append(pairs)
        if self._held >= PAIRS_A_FILE:
            self.write()

    def write(self) -> None:
        """Write what is held, if anything is."""
        if not self._held:
            return
        pairs = np.concatenate(self._waiting)
        self.members.append(distinct(pairs.ravel()))
        save_array(self._task.file(f"{self._files:05d}.pairs"), pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])
        self._waiting, self._held, self._files = [], 0, self._files + 1
