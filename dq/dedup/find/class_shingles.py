"""The shingles of the documents in some candidate pair or large bucket, and no others: the second reading of the texts.

A task a shard leaves, of the first documents of their classes that are asked for:

    shingles/bounds.npy           `ShingleFiles.first_documents`
    shingles/00000.documents.npy  int64 (n,), their numbers
    shingles/00000.shingles.u64   uint64, a place for every shingle counted in the first reading, filled with the sorted
                                  unique ones
    shingles/00000.starts.npy     int64 (n,), where those of each begin
    shingles/00000.visible.npy    int64 (m, 2), documents that are compared with another text, their visible characters
    shingles/00000.lengths.npy    int64 (n,), the shingles that differ; written last

Earlier documents, those of an index, stand as one more shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, Array, by_runs, distinct, offsets_of, read_only
from dq.dedup.find.candidates import CandidateFiles
from dq.dedup.find.equivalence import EquivalenceClasses
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.shingles import shingle_documents
from dq.dedup.kernels.verify import gather
from dq.dedup.kernels.visible import count_visible
from dq.dedup.normalization import rules
from dq.dedup.shards import Shard, load_shard
from dq.dedup.shingles import Shingles
from dq.store.arrays import MappedArray, load_array, save_array
from dq.text import character_classes


@dataclass(frozen=True)
class ShingleFiles:
    """Reads them; documents are asked for by their ascending numbers."""

    folder: Path

    @property
    def first_documents(self) -> I64:
        """Numbers of the first documents of shards, an index being one, and of all: int64 (shards + 1,)."""
        found: I64 = load_array(self.folder / "bounds.npy")
        return found

    def lengths(self, documents: I64) -> I64:
        """How many each document has."""
        (found,) = self._of(documents, "lengths")
        return found

    def of(self, documents: I64) -> Shingles:
        """Those of the documents, one after another."""
        starts, lengths = self._of(documents, "starts", "lengths")
        offsets, at = offsets_of(lengths), 0
        found = np.empty(int(offsets[-1]), np.uint64)
        for shard, within in by_runs(documents, self.first_documents):
            part = slice(at, at + len(within))
            path = _path(self.folder, shard, "shingles.u64")
            source = MappedArray(path, np.uint64, (path.stat().st_size // 8,))
            gather(read_only(source.array), starts[part], lengths[part], found, offsets[part])
            at = part.stop
        return Shingles(found, offsets)

    def _of(self, documents: I64, *kinds: str) -> list[I64]:
        values = [[np.empty(0, np.int64)] for _ in kinds]
        firsts = self.first_documents
        for shard, within in by_runs(documents, firsts):
            known = load_array(_path(self.folder, shard, "documents.npy"))
            places = np.searchsorted(known, firsts[shard] + within)
            for found, kind in zip(values, kinds, strict=True):
                found.append(load_array(_path(self.folder, shard, f"{kind}.npy"))[places])
        return [np.concatenate(found) for found in values]


@dataclass(frozen=True)
class _Task:
    """A shard, and where what is asked of it is written."""

    texts: Shard
    shard: int
    files: SignatureFiles
    candidates: CandidateFiles
    several: Path
    """int64, ascending: documents of classes with several texts, one of each text."""
    folder: Path

    def file(self, kind: str) -> Path:
        """One of its files."""
        return _path(self.folder, self.shard, kind)

    @property
    def output(self) -> Path:
        """Shingles of each document."""
        return self.file("lengths.npy")


def shingle_classes(
    shards: Sequence[Shard],
    files: SignatureFiles,
    classes: EquivalenceClasses,
    *,
    candidates: CandidateFiles,
    earlier: Sequence[Array],
    folder: Path,
    workers: ShardWorkers,
) -> tuple[ShingleFiles, pl.DataFrame]:
    """Write the shingles of the candidates, reading only the shards that hold one; those of an index are ``earlier``.

    On the way visible characters are counted of what is compared with another text: document, characters.
    """
    made, several = folder / "shingles", folder / "several.npy"
    save_array(several, classes.of_several_texts)
    tasks = [_Task(texts, shard, files, candidates, several, made) for shard, texts in enumerate(shards)]
    workers.run(_shingle, tasks)
    lengths = np.array([len(one) for one in earlier], np.int64)
    shingles = MappedArray(_path(made, len(shards), "shingles.u64"), np.uint64, (int(lengths.sum()),), create=True)
    shingles.array[:] = np.concatenate([np.empty(0, np.uint64), *earlier])
    shingles.flush()
    numbers = files.documents + np.arange(len(lengths))
    _save(made, len(shards), numbers, starts=offsets_of(lengths)[:-1], lengths=lengths)
    save_array(made / "bounds.npy", np.append(files.first_documents, files.documents + len(lengths)))
    return ShingleFiles(made), _measured([load_array(task.file("visible.npy")) for task in tasks], classes.copies)


def _measured(visible: Sequence[Array], copies: pl.DataFrame) -> pl.DataFrame:
    """Visible characters of the compared documents and of those with the very text of one."""
    rows = np.concatenate([np.empty((0, 2), np.int64), *visible])
    found = pl.DataFrame(rows, schema=["document", "characters"], orient="row")
    same = copies.filter(pl.col("first_text") != pl.col("document")).select("document", "first_text")
    theirs = same.join(found, left_on="first_text", right_on="document").select("document", "characters")
    return pl.concat([found, theirs]).filter(pl.col("characters") > 0).sort("document")


def _shingle(task: _Task) -> None:
    first, end = task.files.first_documents[task.shard : task.shard + 2].tolist()
    documents, several = task.candidates.members(first, end), load_array(task.several, mapped=True)
    others = several[slice(*np.searchsorted(several, (first, end)))]
    compared = distinct(np.concatenate([documents, others]))
    counts = task.files.counts(task.shard)[documents - first]
    starts, lengths = offsets_of(counts), np.zeros(len(documents), np.int64)
    shingles = MappedArray(task.file("shingles.u64"), np.uint64, (int(starts[-1]),), create=True)
    visible = np.zeros(len(compared), np.int64)
    if len(compared):
        visible = _read(task, documents - first, compared - first, places=starts[:-1], into=(lengths, shingles.array))
        shingles.flush()
    save_array(task.file("visible.npy"), np.stack([compared, visible], axis=1))
    _save(task.folder, task.shard, documents, starts=starts[:-1], lengths=lengths)


def _read(task: _Task, documents: I64, compared: I64, *, places: I64, into: tuple[I64, Array]) -> I64:
    """Fill in the shingles of documents of the shard and how many differ; the visible characters of others."""
    units, batch = rules(task.files.config), load_shard(task.texts)
    texts, seen = (read_only(batch.data), read_only(batch.offsets)), np.zeros(len(batch), np.int64)
    count_visible(*texts, read_only(compared), units.canonical, character_classes(), seen)
    shingle_documents(*texts, read_only(documents), units, read_only(places), *into)
    return seen[compared]


def _save(folder: Path, shard: int, documents: I64, *, starts: I64, lengths: I64) -> None:
    save_array(_path(folder, shard, "documents.npy"), documents)
    save_array(_path(folder, shard, "starts.npy"), starts)
    save_array(_path(folder, shard, "lengths.npy"), lengths)


def _path(folder: Path, shard: int, kind: str) -> Path:
    return folder / f"{shard:05d}.{kind}"
