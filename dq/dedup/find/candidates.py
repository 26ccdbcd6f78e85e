"""Candidate pairs from band buckets, within a bound of memory.

One band at a time, and within a band one range of hash values at a time, so that sorting a band table of any length
needs ``memory_bytes`` at most: the table itself stays on disk and is read once a range. Pairs go to a file as they
come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dq.arrays import I64, Array, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.equivalence import ClassTables
from dq.dedup.kernels.candidates import BandTables, PairRules, emit_pairs, large_buckets

BYTES_A_ROW = 64  # of a band table being sorted: hash, member, both sorted, and what the sort needs
SCAN_ROWS = 1_000_000
PAIRS_AT_A_TIME = 1 << 18


@dataclass
class Candidates:
    """Candidate pairs of classes (in a file, int64 (m, 2)) and the members of large buckets.

    ``compared`` pairs shared a small bucket; ``skipped`` of them had signatures too different to be verified.
    """

    path: Path
    count: int = 0
    compared: int = 0
    skipped: int = 0
    buckets: list[I64] = field(default_factory=list)


def find_candidates(
    tables: ClassTables, bands: Bands, *, max_bucket: int, frozen_from: int, path: Path, memory_bytes: int
) -> Candidates:
    """Write the candidate pairs of all bands to ``path``; two classes from ``frozen_from`` on are no candidates."""
    found = Candidates(path)
    counters = np.zeros(2, np.int64)
    pairs = np.empty((max(PAIRS_AT_A_TIME, max_bucket * max_bucket), 2), np.int64)
    mapped = BandTables(read_only(tables.digests.array), read_only(tables.hashes.array))
    rules = PairRules(bands.rows, bands.min_matches, max_bucket, frozen_from)
    with path.open("wb") as file:
        for band in range(bands.bands):
            for hashes, members in _ranges(tables.hashes.array[band], memory_bytes):
                begin = 0
                while begin < len(hashes):
                    written, begin = emit_pairs(hashes, members, mapped, rules, band, begin, pairs, counters)
                    _append(file, pairs[:written])
                    found.count += written
                found.buckets += _large(hashes, members, max_bucket)
            tables.release()
    found.compared, found.skipped = int(counters[0]), int(counters[1])
    return found


def _append(file: BinaryIO, pairs: Array) -> None:
    file.write(pairs.tobytes())


def _large(hashes: Any, members: Any, max_bucket: int) -> list[I64]:
    bounds = np.empty((len(hashes) // (max_bucket + 1) + 1, 2), np.int64)
    count = large_buckets(hashes, max_bucket, bounds)
    return [np.sort(members[begin:end]) for begin, end in bounds[:count]]


def _ranges(band: Array, memory_bytes: int) -> Iterator[tuple[Any, Any]]:
    """Sorted hashes and their rows, for one range of hash values after the other."""
    parts = max(1, -(-len(band) * BYTES_A_ROW // memory_bytes))
    edges = [(part << 64) // parts for part in range(parts + 1)]
    for low, high in itertools.pairwise(edges):
        if parts == 1:
            chosen, hashes = np.arange(len(band)), np.asarray(band)
        else:
            chosen, hashes = _within(band, low, high - 1)
        order = np.argsort(hashes)
        yield read_only(hashes[order]), read_only(chosen[order])


def _within(band: Array, low: int, high: int) -> tuple[Any, Any]:
    rows, values = [], []
    for at in range(0, len(band), SCAN_ROWS):
        part = band[at : at + SCAN_ROWS]
        inside = np.flatnonzero((part >= np.uint64(low)) & (part <= np.uint64(high)))
        rows.append(inside + at)
        values.append(part[inside])
    return np.concatenate(rows), np.concatenate(values)
