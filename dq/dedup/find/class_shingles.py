"""The shingles of those classes only that are in some candidate pair or large bucket: the second reading of the texts.

They are kept in one file: a place for every shingle counted in the first reading, filled with the sorted unique ones.
Classes are in the order of their first documents, so each shard's have a stretch of the file. Threads of this process
write it in place. Tasks, which may work on other machines, each write a file of their own in ``shingles/`` beside it,
of what stands there for them:

    00000.places.npy     int64 (n,), where the shingles of its classes begin in its stretch
    00000.documents.npy  int64 (n,), the document of each class in the shard
    00000.compared.npy   int64 (m,), documents whose visible characters are counted
    00000.shingles.u64   made: uint64, its stretch
    00000.visible.npy    made: int64 (m,)
    00000.lengths.npy    made: int64 (n,), the shingles that differ; written last
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from dq.arrays import I64, Array, Bools, offsets_of, read_only
from dq.dedup.config import ShingleConfig
from dq.dedup.find.equivalence import EquivalenceClasses
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.shingles import shingle_documents
from dq.dedup.kernels.visible import count_visible
from dq.dedup.normalization import rules
from dq.dedup.shards import Shard, load_shard
from dq.executors import run_in_threads
from dq.store.arrays import MappedArray, save_array
from dq.text import TextBatch, character_classes


@dataclass(frozen=True)
class ClassShingles:
    """Sorted unique shingles of some classes: those of ``classes[k]`` are ``file.array[starts[k]:][:lengths[k]]``."""

    file: MappedArray
    classes: I64
    """Ascending."""
    starts: I64
    lengths: I64

    def places(self, classes: Array) -> I64:
        """Where classes, which are among these, stand in the tables."""
        return np.searchsorted(self.classes, classes)

    def of(self, place: int) -> Array:
        """The shingles of the class at a place."""
        return self.file.array[self.starts[place] : self.starts[place] + self.lengths[place]]


class _Wanted(NamedTuple):
    """What of a shard is asked for: shingles of some classes, and the visible characters of documents."""

    documents: I64
    """Of the classes, in the shard."""
    places: I64
    """Where the shingles of each class begin in the shard's stretch."""
    compared: I64
    """Documents of the shard."""


@dataclass(frozen=True)
class _Part:
    """The same, and where it belongs."""

    wanted: _Wanted
    classes: slice
    """Of the needed ones."""
    compared: slice
    """Of all documents whose visible characters are counted."""
    stretch: slice
    """Of the file of all shards."""


@dataclass(frozen=True)
class _Task:
    """What is asked of a worker that may be elsewhere, in files."""

    texts: Shard
    shard: int
    config: ShingleConfig
    folder: Path
    shingles: int
    """At the most."""

    def file(self, kind: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.shard:05d}.{kind}"

    @property
    def output(self) -> Path:
        """Shingles of each class."""
        return self.file("lengths.npy")


def shingle_classes(
    shards: Sequence[Shard],
    files: SignatureFiles,
    classes: EquivalenceClasses,
    *,
    needed: Bools,
    given: Sequence[Array],
    path: Path,
    workers: ShardWorkers,
) -> tuple[ClassShingles, pl.DataFrame]:
    """Write the shingles of the needed classes to ``path``, reading only the shards that hold one.

    The last classes, those of an index, are not read but ``given``. On the way the visible characters of documents that
    are compared with another text are counted: document, characters.
    """
    numbers, own = np.flatnonzero(needed), len(classes) - len(given)
    few = np.searchsorted(numbers, own)
    counts = files.of_rows(classes.representative[numbers[:few]], files.counts)
    starts = offsets_of(np.concatenate([counts, [len(given[number - own]) for number in numbers[few:]]]))
    lengths = np.diff(starts)
    file = MappedArray(path, np.uint64, (int(starts[-1]),), create=True)
    for place in range(few, len(numbers)):
        file.array[starts[place] : starts[place + 1]] = given[numbers[place] - own]
    documents, compared = classes.representative[numbers[:few]], classes.compared(needed)
    asked = _Asked(files, documents, compared=compared, starts=starts)
    visible = np.zeros(len(compared), np.int64)

    def take(part: _Part, found: I64, seen: I64) -> None:
        lengths[part.classes], visible[part.compared] = found, seen
        file.release()

    def here(shard: int) -> None:
        if (part := asked.of(shard)) is not None:
            take(part, *_shingle(load_shard(shards[shard]), part.wanted, files.config, into=file.array[part.stretch]))

    if workers.executor is None:
        run_in_threads(here, range(len(shards)), threads=workers.threads)
    else:
        folder = path.parent / "shingles"
        folder.mkdir()
        made = (asked.task(texts, shard, folder=folder) for shard, texts in enumerate(shards))
        tasks = [task for task in made if task is not None]
        workers.run(_shingle_elsewhere, tasks)
        for task in tasks:
            part = asked.of(task.shard)
            assert part is not None
            file.array[part.stretch] = np.fromfile(task.file("shingles.u64"), np.uint64)
            take(part, np.load(task.output), np.load(task.file("visible.npy")))
    shingles = ClassShingles(file, numbers, starts[:-1], lengths)
    return shingles, _measured(compared, visible, classes.copies)


def _measured(compared: I64, visible: I64, copies: pl.DataFrame) -> pl.DataFrame:
    """Visible characters of the compared documents and of those with the very text of one."""
    found = pl.DataFrame({"document": compared, "characters": visible})
    same = copies.filter(pl.col("first_text") != pl.col("document")).select("document", "first_text")
    theirs = same.join(found, left_on="first_text", right_on="document").select("document", "characters")
    return pl.concat([found, theirs]).filter(pl.col("characters") > 0).sort("document")


class _Asked:
    """What is asked for of each shard."""

    def __init__(self, files: SignatureFiles, documents: I64, *, compared: I64, starts: I64) -> None:
        self._documents, self._starts, self._config, self.compared = documents, starts, files.config, compared
        self._begins = files.first_documents

    def of(self, shard: int) -> _Part | None:
        """Its part; None where it need not be read again."""
        bounds = self._begins[shard : shard + 2]
        classes = slice(*np.searchsorted(self._documents, bounds))
        compared = slice(*np.searchsorted(self.compared, bounds))
        if classes.start == classes.stop and compared.start == compared.stop:
            return None
        stretch = slice(int(self._starts[classes.start]), int(self._starts[classes.stop]))
        wanted = _Wanted(
            self._documents[classes] - bounds[0],
            self._starts[classes] - stretch.start,
            self.compared[compared] - bounds[0],
        )
        return _Part(wanted, classes, compared, stretch)

    def task(self, texts: Shard, shard: int, *, folder: Path) -> _Task | None:
        """The same as a task, what is asked for being in files."""
        if (part := self.of(shard)) is None:
            return None
        task = _Task(texts, shard, self._config, folder, part.stretch.stop - part.stretch.start)
        for kind, array in part.wanted._asdict().items():
            save_array(task.file(f"{kind}.npy"), array)
        return task


def _shingle(batch: TextBatch, wanted: _Wanted, config: ShingleConfig, *, into: Array) -> tuple[I64, I64]:
    """Write the shingles of a shard's classes; how many of each differ, and the visible characters of documents."""
    units, texts = rules(config), (read_only(batch.data), read_only(batch.offsets))
    seen = np.zeros(len(batch), np.int64)
    count_visible(*texts, read_only(wanted.compared), units.canonical, character_classes(), seen)
    found = np.zeros(len(wanted.documents), np.int64)
    shingle_documents(*texts, read_only(wanted.documents), units, read_only(wanted.places), found, into)
    return found, seen[wanted.compared]


def _shingle_elsewhere(task: _Task) -> None:
    file = MappedArray(task.file("shingles.u64"), np.uint64, (task.shingles,), create=True)
    wanted = _Wanted(*(np.load(task.file(f"{kind}.npy")) for kind in _Wanted._fields))
    found, seen = _shingle(load_shard(task.texts), wanted, task.config, into=file.array)
    file.flush()
    save_array(task.file("visible.npy"), seen)
    save_array(task.output, found)
