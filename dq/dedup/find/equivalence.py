"""Documents with equal shingles form one class, and only its first document is worked on.

Equal texts are among them (exact copies), and texts that differ in what their normalisation sets aside. Ten million
copies cost one table lookup each; every copy is still seen by policy and eligibility, at selection.
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
DIGESTS, HASHES = "digests.u8", "bands.u64"


@dataclass(frozen=True)
class EquivalenceClasses:
    """Which documents have equal shingles."""

    first_copy: I64
    """int64 (documents,), the first document with the same shingles (itself for most), -1 without shingles."""
    representative: I64
    """int64 (classes,), the first document of each class, ascending."""
    counts: I64
    """int64 (classes,), shingles of that document, repeats included."""

    first_text: I64
    """int64 (documents,), the first document with the same canonical text."""

    def __len__(self) -> int:
        return len(self.representative)

    def extended(self, counts: I64, texts: Array, earlier: Array) -> EquivalenceClasses:
        """With one more class for each document of an index; they are numbered after all documents.

        ``texts`` are the text keys of the documents, ``earlier`` those of the index.
        """
        documents = len(self.first_copy)
        added = np.arange(documents, documents + len(counts))
        first_text = _first_of_each(np.concatenate([texts, earlier]))
        first_text[:documents] = self.first_text
        representative = np.concatenate([self.representative, added])
        return EquivalenceClasses(self.first_copy, representative, np.concatenate([self.counts, counts]), first_text)

    def compared(self, needed: Array) -> I64:
        """The documents, one of each text, in a class that is ``needed`` (bool (classes,)) or has several texts."""
        numbers = np.arange(len(self.first_copy))
        first = np.flatnonzero((self.first_copy >= 0) & (self.first_text[: len(numbers)] == numbers))
        classes = np.searchsorted(self.representative, self.first_copy[first])
        texts = np.bincount(classes, minlength=len(self))
        chosen: I64 = first[needed[classes] | (texts[classes] > 1)]
        return chosen


def group_by_keys(files: SignatureFiles) -> EquivalenceClasses:
    """Group the documents of all shards by their keys."""
    counts = files.all_counts()
    first_copy = np.empty(len(counts), np.int64)
    group_keys(read_only(files.all_keys()), read_only(counts), first_copy)
    numbers = np.arange(len(counts))
    representative = np.flatnonzero(first_copy == numbers)
    # Equal texts have equal shingles, so only documents of classes with several are looked at.
    several = np.flatnonzero((np.bincount(first_copy[first_copy >= 0], minlength=len(counts)) > 1)[first_copy])
    several = several[first_copy[several] >= 0]
    first_text = numbers.copy()
    first_text[several] = several[_first_of_each(files.all_texts()[several])]
    return EquivalenceClasses(first_copy, representative, counts[representative], first_text)


def _first_of_each(keys: Array) -> I64:
    """For each key the place of the first one like it."""
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    found: I64 = first[number].astype(np.int64)
    return found


@dataclass(frozen=True)
class ClassTables:
    """Per class, on disk: what candidates are found with."""

    digests: MappedArray
    """uint8 (classes, num_perm), the low byte of each signature value. Two values that differ agree there once in 256
    times, so comparing digests never finds fewer equal values than comparing signatures."""
    hashes: MappedArray
    """uint64 (bands, classes), the band hashes."""

    @classmethod
    def read(cls, folder: Path, bands: Bands) -> ClassTables:
        """Those that `write_tables` wrote."""
        classes = (folder / DIGESTS).stat().st_size // bands.num_perm
        digests = MappedArray(folder / DIGESTS, np.uint8, (classes, bands.num_perm))
        return cls(digests, MappedArray(folder / HASHES, np.uint64, (bands.bands, classes)))

    def flush(self) -> None:
        """Let other machines see what was written."""
        self.digests.flush()
        self.hashes.flush()

    def release(self) -> None:
        """Give the pages of both files back."""
        self.digests.release()
        self.hashes.release()


def write_tables(
    files: SignatureFiles, classes: EquivalenceClasses, bands: Bands, *, folder: Path, count: int
) -> ClassTables:
    """Write digest and band hashes of every class into ``folder``, with room for ``count`` classes."""
    digests = MappedArray(folder / DIGESTS, np.uint8, (count, files.config.num_perm), create=True)
    hashes = MappedArray(folder / HASHES, np.uint64, (bands.bands, count), create=True)
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
