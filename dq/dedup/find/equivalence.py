"""Exact duplicates: documents with equal shingles form one class, and only its first document is worked on.

That covers equal texts and texts that differ in case, spacing and punctuation only. Ten million copies cost one table
lookup each; every copy is still seen by policy and eligibility, at selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import I64, Array, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.candidates import group_keys, hash_bands
from dq.store.arrays import MappedArray

ROWS_AT_A_TIME = 32_768


@dataclass(frozen=True)
class EquivalenceClasses:
    """Which documents have equal shingles."""

    first_copy: I64
    """int64 (documents,), the first document with the same shingles (itself for most), -1 without shingles."""
    representative: I64
    """int64 (classes,), the first document of each class, ascending."""
    counts: I64
    """int64 (classes,), shingles of that document, repeats included."""

    def __len__(self) -> int:
        return len(self.representative)

    def extended(self, counts: I64) -> EquivalenceClasses:
        """With one more class for each document of an index; they are numbered after all documents."""
        documents = len(self.first_copy)
        added = np.arange(documents, documents + len(counts))
        representative = np.concatenate([self.representative, added])
        return EquivalenceClasses(self.first_copy, representative, np.concatenate([self.counts, counts]))


def group_by_keys(files: SignatureFiles) -> EquivalenceClasses:
    """Group the documents of all shards by their keys."""
    counts = files.all_counts()
    first_copy = np.empty(len(counts), np.int64)
    group_keys(read_only(files.all_keys()), read_only(counts), first_copy)
    representative = np.flatnonzero(first_copy == np.arange(len(counts)))
    return EquivalenceClasses(first_copy, representative, counts[representative])


@dataclass(frozen=True)
class ClassTables:
    """Per class, on disk: what candidates are found with."""

    digests: MappedArray
    """uint8 (classes, num_perm), the low byte of each signature value. Two values that differ agree there once in 256
    times, so comparing digests never finds fewer equal values than comparing signatures."""
    hashes: MappedArray
    """uint64 (bands, classes), the band hashes."""

    def release(self) -> None:
        """Give the pages of both files back."""
        self.digests.release()
        self.hashes.release()


def write_tables(
    files: SignatureFiles, classes: EquivalenceClasses, bands: Bands, *, folder: Path, count: int
) -> ClassTables:
    """Write digest and band hashes of every class into ``folder``, with room for ``count`` classes."""
    digests = MappedArray(folder / "digests.u8", np.uint8, (count, files.config.num_perm), create=True)
    hashes = MappedArray(folder / "bands.u64", np.uint64, (bands.bands, count), create=True)
    tables = ClassTables(digests, hashes)
    begin = row = 0
    for shard, size in enumerate(files.sizes):
        source = files.signatures(shard)
        end = row + int(np.searchsorted(classes.representative[row:], begin + size))
        for at in range(row, end, ROWS_AT_A_TIME):
            part = slice(at, min(end, at + ROWS_AT_A_TIME))
            fill_tables(tables, part, source[classes.representative[part] - begin], bands=bands)
        begin += size
        row = end
    return tables


def fill_tables(tables: ClassTables, part: slice, signatures: Array, *, bands: Bands) -> None:
    """Enter the signatures (uint32 (n, num_perm)) of a run of classes."""
    tables.digests.array[part] = signatures.astype(np.uint8)
    hash_bands(read_only(np.ascontiguousarray(signatures)), bands.bands, bands.rows, tables.hashes.array[:, part])
    tables.release()
