"""Band hashes on disk, a task a run of shards: what candidates are looked for in.

    tables/00000.hashes.npy     uint64 (bands, n), of the first documents of their classes in a run, each band by part
    tables/00000.documents.npy  int64 (bands, n), whose they are
    tables/00000.cuts.npy       int64 (bands, parts + 1), where parts begin; written last

Earlier documents, those of an index, are numbered after all others and stand as one more run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import I64, U64, Array, read_only
from dq.dedup.bands import Bands
from dq.dedup.find.equivalence import EquivalenceClasses
from dq.dedup.find.runs import Run, by_part
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.candidates import hash_bands
from dq.store.arrays import load_array, save_array

ROWS_AT_A_TIME = 32_768


@dataclass(frozen=True)
class BandFiles:
    """Reads them."""

    folder: Path
    runs: int
    """Those of an index included."""

    def piece(self, band: int, part: int) -> tuple[U64, I64]:
        """The hashes of a part of a band, and the documents that have them."""
        pieces = list(self._pieces(band, slice(part, part + 2)))
        hashes = np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _ in pieces)])
        return hashes, np.concatenate([np.empty(0, np.int64), *(documents for _, documents in pieces)])

    def hashes(self, band: int) -> U64:
        """All hashes of a band."""
        return np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _ in self._pieces(band, slice(None)))])

    def _pieces(self, band: int, parts: slice) -> Iterator[tuple[Array, Array]]:
        for run in range(self.runs):
            cuts = load_array(_path(self.folder, run, "cuts"))[band, parts]
            hashes, documents = (
                load_array(_path(self.folder, run, kind), mapped=True)[band, cuts[0] : cuts[-1]]
                for kind in ("hashes", "documents")
            )
            yield hashes, documents


def write_bands(
    files: SignatureFiles,
    classes: EquivalenceClasses,
    runs: Sequence[Run],
    *,
    bands: Bands,
    parts: int,
    folder: Path,
    workers: ShardWorkers,
) -> BandFiles:
    """Write the band hashes of every class into ``folder``."""
    tables, others = folder / "tables", folder / "others.npy"
    save_array(others, classes.others)
    workers.run(_hash_run, [_RunBands(files, run, bands, parts, others, tables) for run in runs])
    return BandFiles(tables, len(runs))


def add_earlier(tables: BandFiles, signatures: Array, *, first: int, bands: Bands, parts: int) -> BandFiles:
    """With documents of an index as one more run, if there are any; ``first`` is the number of the first of them."""
    if not len(signatures):
        return tables
    hashes = _hashed(signatures, bands)
    documents = np.arange(first, first + len(signatures))
    _save(tables.folder, tables.runs, hashes, documents=documents, parts=parts)
    return BandFiles(tables.folder, tables.runs + 1)


@dataclass(frozen=True)
class _RunBands:
    """A run whose band hashes are to be written."""

    files: SignatureFiles
    run: Run
    bands: Bands
    parts: int
    others: Path
    """int64, ascending: the documents that are not the first of a class."""
    folder: Path

    @property
    def output(self) -> Path:
        """Where parts begin."""
        return _path(self.folder, self.run.number, "cuts")


def _hash_run(task: _RunBands) -> None:
    shards = task.run.shards
    first, end = task.files.first_documents[[shards.start, shards.stop]]
    others = load_array(task.others, mapped=True)
    theirs = np.searchsorted(others, (first, end))
    is_first = np.ones(end - first, np.bool_)
    is_first[others[slice(*theirs)] - first] = False
    documents = first + np.flatnonzero(is_first)
    hashes = np.empty((task.bands.bands, len(documents)), np.uint64)
    for at in range(0, len(documents), ROWS_AT_A_TIME):
        some = documents[at : at + ROWS_AT_A_TIME]
        hashes[:, at : at + len(some)] = _hashed(task.files.signatures(some), task.bands)
    _save(task.folder, task.run.number, hashes, documents=documents, parts=task.parts)


def _hashed(signatures: Array, bands: Bands) -> U64:
    hashes = np.empty((bands.bands, len(signatures)), np.uint64)
    hash_bands(read_only(signatures), bands.bands, bands.rows, hashes)
    return hashes


def _save(folder: Path, run: int, hashes: Array, *, documents: I64, parts: int) -> None:
    cuts, whose = np.empty((len(hashes), parts + 1), np.int64), np.empty(hashes.shape, np.int64)
    for band, values in enumerate(hashes):
        order, cuts[band] = by_part(values, parts)
        hashes[band], whose[band] = values[order], documents[order]
    save_array(_path(folder, run, "hashes"), hashes)
    save_array(_path(folder, run, "documents"), whose)
    save_array(_path(folder, run, "cuts"), cuts)


def _path(folder: Path, run: int, kind: str) -> Path:
    return folder / f"{run:05d}.{kind}.npy"
