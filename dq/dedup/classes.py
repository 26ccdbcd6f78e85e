"""Exact duplicates: documents with equal shingles form one class, and only its first document is worked on.

That covers equal texts and texts that differ in case, spacing and punctuation only. Ten million copies cost one table
lookup each; every copy is still seen by policy and eligibility, at selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.dedup.arrays import MappedArray, read_only
from dq.dedup.bands import Bands
from dq.dedup.kernels_candidates import group_keys, hash_bands
from dq.dedup.signature_files import SignatureFiles

__all__ = ["ClassTables", "Classes", "group", "write_tables"]

ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class Classes:
    """Which documents have equal shingles.

    Attributes:
        first_copy: int64 (documents,), the first document with the same shingles (itself for most), -1 without
            shingles.
        representative: int64 (classes,), the first document of each class, ascending.
        counts: int64 (classes,), shingles of that document, repeats included.
    """

    first_copy: np.ndarray[Any, np.dtype[np.int64]]
    representative: np.ndarray[Any, np.dtype[np.int64]]
    counts: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.representative)

    def extended(self, counts: np.ndarray[Any, np.dtype[np.int64]]) -> Classes:
        """With one more class for each document of an index; they are numbered after all documents."""
        documents = len(self.first_copy)
        added = np.arange(documents, documents + len(counts))
        representative = np.concatenate([self.representative, added])
        return Classes(self.first_copy, representative, np.concatenate([self.counts, counts]))


def group(files: SignatureFiles) -> Classes:
    """Group the documents of all shards by their keys."""
    counts = files.all_counts()
    first_copy = np.empty(len(counts), np.int64)
    group_keys(read_only(files.all_keys()), read_only(counts), first_copy)
    representative = np.flatnonzero(first_copy == np.arange(len(counts)))
    return Classes(first_copy, representative, counts[representative])


@dataclass(frozen=True)
class ClassTables:
    """Per class, on disk: its signature (uint32 (classes, num_perm)) and its band hashes (uint64 (bands, classes))."""

    signatures: MappedArray
    hashes: MappedArray


def write_tables(files: SignatureFiles, classes: Classes, bands: Bands, *, folder: Path) -> ClassTables:
    """Write the signature and the band hashes of every class into ``folder``."""
    count, num_perm = len(classes), files.config.num_perm
    signatures = MappedArray(folder / "signatures.u32", np.uint32, (count, num_perm), create=True)
    hashes = MappedArray(folder / "bands.u64", np.uint64, (bands.bands, count), create=True)
    begin = row = 0
    for shard, size in enumerate(files.sizes):
        source = files.signatures(shard)
        end = row + int(np.searchsorted(classes.representative[row:], begin + size))
        for at in range(row, end, ROWS_AT_A_TIME):
            part = slice(at, min(end, at + ROWS_AT_A_TIME))
            signatures.array[part] = source[classes.representative[part] - begin]
            hash_bands(read_only(signatures.array[part]), bands.bands, bands.rows, hashes.array[:, part])
        signatures.release()
        hashes.release()
        begin += size
        row = end
    return ClassTables(signatures, hashes)


def extend_tables(
    tables: ClassTables, signatures: np.ndarray[Any, Any], hashes: np.ndarray[Any, Any], *, folder: Path
) -> ClassTables:
    """The tables with further classes behind their own."""
    own = tables.signatures.array.shape
    total = own[0] + len(signatures)
    longer = MappedArray(folder / "all.signatures.u32", np.uint32, (total, own[1]), create=True)
    wider = MappedArray(folder / "all.bands.u64", np.uint64, (len(hashes), total), create=True)
    for at in range(0, own[0], ROWS_AT_A_TIME):
        part = slice(at, min(own[0], at + ROWS_AT_A_TIME))
        longer.array[part] = tables.signatures.array[part]
        wider.array[:, part] = tables.hashes.array[:, part]
        for mapped in (longer, wider, tables.signatures, tables.hashes):
            mapped.release()
    longer.array[own[0] :] = signatures
    wider.array[:, own[0] :] = hashes
    return ClassTables(longer, wider)
