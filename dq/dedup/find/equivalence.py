"""Documents with equal shingles form one class, and only its first document is worked on.

Equal texts are among them (exact copies), and texts that differ in what their normalisation sets aside. Ten million
copies cost one table lookup each; every copy is still seen by policy and eligibility, at selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, U64, Array, Bools, distinct, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.ranges import by_ranges
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.candidates import group_keys, hash_bands
from dq.executors import run_in_threads
from dq.store.arrays import MappedArray

ROWS_AT_A_TIME = 32_768
BYTES_A_KEY = 112  # of keys being grouped: both halves twice, the row, the first one, and a table at most half full
RECORD = np.dtype([("hash", np.uint64), ("rest", np.uint64), ("row", np.int64)])  # a key in two halves
DIGESTS, HASHES = "digests.u8", "bands.u64"


@dataclass(frozen=True)
class EquivalenceClasses:
    """Which documents have equal shingles; those of an index are numbered after all others, each a class of its own."""

    documents: int
    """Of the corpus."""
    representative: I64
    """int64 (classes,), the first document of each class, ascending."""
    copies: pl.DataFrame
    """DataFrame document, first_copy, first_text: int64, ascending: the other documents, the first one with the same
    shingles, and the first one with the same canonical text."""
    empty: I64
    """int64, ascending: documents without shingles."""
    earlier_text: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    """int64, of each document of an index the first document with its canonical text."""

    def __len__(self) -> int:
        return len(self.representative)

    def extended(self, files: SignatureFiles, earlier: U64) -> EquivalenceClasses:
        """With one more class for each document of an index, whose text keys are ``earlier``."""
        added = np.arange(self.documents, self.documents + len(earlier))
        keys, place = np.unique(earlier, return_inverse=True)
        first = added[np.unique(earlier, return_index=True)[1]]
        for shard, begin in reversed([*enumerate(files.first_documents[:-1])]):  # the first one's word is the last
            texts = files.texts(shard)
            known = np.flatnonzero(np.isin(texts, keys))[::-1]
            first[np.searchsorted(keys, texts[known])] = begin + known
        return replace(self, representative=np.concatenate([self.representative, added]), earlier_text=first[place])

    def compared(self, needed: Bools) -> I64:
        """The documents, one of each text, in a class that is ``needed`` (bool (classes,)) or has several texts."""
        own = self.representative[: np.searchsorted(self.representative, self.documents)]
        others = self.copies.filter(pl.col("first_text") == pl.col("document"))
        several = [others[name].to_numpy() for name in ("document", "first_copy")]
        return distinct(np.concatenate([own[needed[: len(own)]], *several]))


def group_by_keys(files: SignatureFiles, *, folder: Path, memory_bytes: int) -> EquivalenceClasses:
    """Group the documents of all shards by their keys, one range of keys after another as they fit into memory."""
    parts = max(1, -(-files.documents * BYTES_A_KEY // memory_bytes))
    ranges = by_ranges(_records(files), parts=parts, path=folder / "keys")
    copies = pl.concat(_copies(files, records) for records in ranges).sort("document")
    single = np.ones(files.documents, np.bool_)
    empty = np.concatenate([np.empty(0, np.int64), *_empty(files)])
    single[empty] = single[copies["document"].to_numpy()] = False
    return EquivalenceClasses(files.documents, np.flatnonzero(single), copies, empty)


def _records(files: SignatureFiles) -> Iterator[Array]:
    """The keys of documents with shingles."""
    yield np.empty(0, RECORD)
    for shard, first in enumerate(files.first_documents[:-1]):
        rows = np.flatnonzero(files.counts(shard))
        records = np.empty(len(rows), RECORD)
        records["hash"], records["rest"] = files.keys(shard)[rows].T
        records["row"] = first + rows
        yield records


def _empty(files: SignatureFiles) -> Iterator[I64]:
    return (first + np.flatnonzero(files.counts(shard) == 0) for shard, first in enumerate(files.first_documents[:-1]))


def _copies(files: SignatureFiles, records: Array) -> pl.DataFrame:
    """Of documents of a range of keys those that are not the first of their class."""
    rows, keys = records["row"], np.stack([records["hash"], records["rest"]], axis=1)
    first = np.empty(len(rows), np.int64)
    group_keys(read_only(keys), read_only(np.ones(len(rows), np.int64)), first)
    copies = np.flatnonzero(first != np.arange(len(rows)))
    # Equal texts have equal shingles, so only documents of classes with several are looked at.
    several = distinct(np.concatenate([copies, first[copies]]))
    _, earliest, number = np.unique(files.of_rows(rows[several], files.texts), return_index=True, return_inverse=True)
    first_text = several[earliest[number]][np.searchsorted(several, copies)]
    return pl.DataFrame({"document": rows[copies], "first_copy": rows[first[copies]], "first_text": rows[first_text]})


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
    files: SignatureFiles, classes: EquivalenceClasses, bands: Bands, *, folder: Path, count: int, threads: int = 1
) -> ClassTables:
    """Write digest and band hashes of every class into ``folder``, with room for ``count`` classes."""
    digests = MappedArray(folder / DIGESTS, np.uint8, (count, files.config.num_perm), create=True)
    hashes = MappedArray(folder / HASHES, np.uint64, (bands.bands, count), create=True)
    tables, firsts = ClassTables(digests, hashes), files.first_documents
    rows = np.searchsorted(classes.representative, firsts)

    def one(shard: int) -> None:
        source = files.signatures(shard)
        for at in range(rows[shard], rows[shard + 1], ROWS_AT_A_TIME):
            part = slice(at, min(rows[shard + 1], at + ROWS_AT_A_TIME))
            fill_tables(tables, part, source[classes.representative[part] - firsts[shard]], bands=bands)

    run_in_threads(one, range(len(files.sizes)), threads=threads)
    return tables


def fill_tables(tables: ClassTables, part: slice, signatures: Array, *, bands: Bands) -> None:
    """Enter the signatures (uint32 (n, num_perm)) of a run of classes."""
    tables.digests.array[part] = signatures.astype(np.uint8)
    hash_bands(read_only(np.ascontiguousarray(signatures)), bands.bands, bands.rows, tables.hashes.array[:, part])
    tables.release()
