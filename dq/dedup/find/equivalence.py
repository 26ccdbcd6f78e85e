"""Documents with equal shingles form one class, and only its first document is worked on.

Equal texts are among them (exact copies), and texts that differ in what their normalisation sets aside. Ten million
copies cost one table lookup each; every copy is still seen by policy and eligibility, at selection.

A task a run of shards orders its keys by part, a task a part groups them:

    keys/00000.keys.npy     RECORD (n,), the documents with shingles of a run, by part
    keys/00000.empty.npy    int64, those without
    keys/00000.cuts.npy     int64 (parts + 1,); written last
    keys/00000.copies.npy   int64 (m, 3), of a part: `EquivalenceClasses.copies`
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, Array, distinct, read_only
from dq.dedup.find.runs import Run, by_part, parts_for
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.kernels.candidates import group_keys
from dq.store.arrays import load_array, save_array

BYTES_A_KEY = 144  # of keys being grouped: records twice, keys, the first one, and a table at most half full
RECORD = np.dtype([("hash", np.uint64), ("rest", np.uint64), ("text", np.uint64), ("document", np.int64)])
COPIES = ("document", "first_copy", "first_text")


@dataclass(frozen=True)
class EquivalenceClasses:
    """Which documents have equal shingles."""

    documents: int
    """Of the corpus."""
    copies: pl.DataFrame
    """DataFrame document, first_copy, first_text: int64, ascending: those that are not the first of their class, the
    first one with the same shingles, and the first one with the same canonical text."""
    empty: I64
    """int64, ascending: documents without shingles."""

    def __len__(self) -> int:
        return self.documents - len(self.others)

    @cached_property
    def others(self) -> I64:
        """int64, ascending: the documents that are not the first of a class."""
        return np.sort(np.concatenate([self.copies["document"].to_numpy(), self.empty]))

    @property
    def of_several_texts(self) -> I64:
        """int64, ascending: one document of each text, in classes with several."""
        others = self.copies.filter(pl.col("first_text") == pl.col("document"))
        return distinct(np.concatenate([others[name].to_numpy() for name in ("document", "first_copy")]))


def group_by_keys(
    files: SignatureFiles, runs: Sequence[Run], *, folder: Path, memory_bytes: int, workers: ShardWorkers
) -> EquivalenceClasses:
    """Group the documents of all shards by their keys; what is written in ``folder`` on the way is removed."""
    keys = folder / "keys"
    parts = parts_for(files.documents, bytes_a_row=BYTES_A_KEY, memory_bytes=workers.memory_a_task(memory_bytes))
    workers.run(_order, ordered := [_RunKeys(files, run, parts, keys) for run in runs])
    workers.run(_group, grouped := [_PartKeys(part, len(runs), keys) for part in range(parts)])
    copies = np.concatenate([load_array(task.output) for task in grouped])
    empty = np.concatenate([np.empty(0, np.int64), *(load_array(task.file("empty")) for task in ordered)])
    shutil.rmtree(keys)
    return EquivalenceClasses(
        files.documents, pl.DataFrame(copies, schema=COPIES, orient="row").sort("document"), empty
    )


@dataclass(frozen=True)
class _RunKeys:
    """A run whose keys are to be ordered by part."""

    files: SignatureFiles
    run: Run
    parts: int
    folder: Path

    def file(self, kind: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.run.number:05d}.{kind}.npy"

    @property
    def output(self) -> Path:
        """Where parts begin."""
        return self.file("cuts")


@dataclass(frozen=True)
class _PartKeys:
    """A part of the keys of all runs."""

    part: int
    runs: int
    folder: Path

    @property
    def output(self) -> Path:
        """Its copies."""
        return self.folder / f"{self.part:05d}.copies.npy"


def _order(task: _RunKeys) -> None:
    records, empty = [np.empty(0, RECORD)], [np.empty(0, np.int64)]
    for shard in task.run.shards:
        first, counts = task.files.first_documents[shard], task.files.counts(shard)
        rows = np.flatnonzero(counts)
        some = np.empty(len(rows), RECORD)
        some["hash"], some["rest"] = task.files.keys(shard)[rows].T
        some["text"], some["document"] = task.files.texts(shard)[rows], first + rows
        records.append(some)
        empty.append(first + np.flatnonzero(counts == 0))
    every = np.concatenate(records)
    order, cuts = by_part(every["hash"], task.parts)
    save_array(task.file("keys"), every[order])
    save_array(task.file("empty"), np.concatenate(empty))
    save_array(task.output, cuts)


def _group(task: _PartKeys) -> None:
    """Find the copies among the documents of a part, which stand in their order."""
    records = np.concatenate([np.empty(0, RECORD), *(_piece(task, run) for run in range(task.runs))])
    keys = np.stack([records["hash"], records["rest"]], axis=1)
    first = np.empty(len(records), np.int64)
    group_keys(read_only(keys), read_only(np.ones(len(records), np.int64)), first)
    copies = np.flatnonzero(first != np.arange(len(records)))
    # Equal texts have equal shingles, so only documents of classes with several are looked at.
    several = distinct(np.concatenate([copies, first[copies]]))
    _, earliest, number = np.unique(records["text"][several], return_index=True, return_inverse=True)
    first_text = several[earliest[number]][np.searchsorted(several, copies)]
    save_array(
        task.output, np.stack([records["document"][rows] for rows in (copies, first[copies], first_text)], axis=1)
    )


def _piece(task: _PartKeys, run: int) -> Array:
    begin, end = load_array(task.folder / f"{run:05d}.cuts.npy")[task.part : task.part + 2]
    keys: Array = load_array(task.folder / f"{run:05d}.keys.npy", mapped=True)[begin:end]
    return keys
