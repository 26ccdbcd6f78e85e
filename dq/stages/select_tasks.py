"""Selecting as tasks: for each run of shards one that ranks and one that writes, and between them one for each part.

    work/part_of.npy              uint16 a document: `dq.dedup.parts.Parts`
    work/part_of_members.npy      the same of what is in large buckets
    work/eligible.npy             bool a document
    work/frozen.arrow             of an index, by part
    work/00000.documents.arrow    of a run, by part: what may have a duplicate, its copies, what it is ranked by
    work/00000.pairs.arrow        of a run, by part: the verified pairs of its documents with later ones
    work/00000.alone.parquet      of a run: source, eligible: how many of each source have no duplicate
    work/00000.field.json         of a run: what a policy's field is in it; written last
    work/00000.selected.arrow     of a part, by run: its selection
    work/00000.examples.parquet   of a part: some of what is removed
    work/00000.counts.parquet     of a part: source, eligible, removed; written last
    00000.parquet                 of a shard: `selection_table`

Ranks decide within a part alone, so documents of a part are ranked by themselves. No process holds a number of every
document but for the command's, which holds what `dq.dedup.parts` says.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, Array, Bools
from dq.corpus.corpus import IDENTITY
from dq.dedup import Duplicates, LargeBuckets, Policy, Selection
from dq.dedup.choosing import select_among
from dq.dedup.duplicates import read_facts
from dq.dedup.find.runs import Run, runs_of
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.guard import COUNTS, EXAMPLE, Removals
from dq.dedup.parts import divide
from dq.dedup.policy import LONGEST
from dq.dedup.selection import completed, numbered
from dq.stages.base import View
from dq.stages.by_shard import shard_file
from dq.stages.duplicates import FoundDuplicates
from dq.stages.ranked import Field, RankedShard, ranked_shards, with_values
from dq.stages.read import Documents
from dq.store import read_json, read_parquet, write_json_atomic, write_parquet
from dq.store.arrays import load_array, save_array
from dq.store.files import read_between
from dq.store.pieces import read_pieces, write_pieces

OF = "deduplicated"
WORK = "work"
PART_OF, PART_OF_MEMBERS, FROZEN, ELIGIBLE = "part_of.npy", "part_of_members.npy", "frozen.arrow", "eligible.npy"
DOCUMENTS, PAIRS, ALONE = "documents.arrow", "pairs.arrow", "alone.parquet"
SELECTED, EXAMPLES = "selected.arrow", "examples.parquet"
VALUE = "value"  # what a policy ranks by, whatever its column is called


@dataclass(frozen=True, eq=False)
class Selecting:
    """What every task of a selection knows."""

    duplicates: Path
    policy: Policy
    folder: Path
    """Where the selection is written."""
    first_runs: I64
    """The number of the first document of each run, and of all documents: int64 (runs + 1,)."""
    parts: int

    @property
    def documents(self) -> int:
        """Of the corpus."""
        return int(self.first_runs[-1])

    def file(self, name: str) -> Path:
        """A working file."""
        return self.folder / WORK / name

    def between(self, name: str, first: int, end: int) -> Array:
        """Part of an array in a working file."""
        return np.array(load_array(self.file(name), mapped=True)[first:end])

    def files_of_runs(self, kind: str) -> list[Path]:
        """One of the files of each."""
        return [self.file(f"{run:05d}.{kind}") for run in range(len(self.first_runs) - 1)]


@dataclass(frozen=True, eq=False)
class _RunTask:
    """A run of shards whose documents are to be ranked, or whose selection is to be written."""

    about: Selecting
    run: Run
    first_shards: I64
    """The number of the first document of each of its shards, and of the run after it."""
    shards: Sequence[RankedShard]

    @property
    def eligible(self) -> Bools:
        """Of its documents."""
        return self.about.between(ELIGIBLE, self.first, self.end)

    @property
    def first(self) -> int:
        return int(self.first_shards[0])

    @property
    def end(self) -> int:
        return int(self.first_shards[-1])

    def file(self, kind: str) -> Path:
        return self.about.file(f"{self.run.number:05d}.{kind}")

    @property
    def output(self) -> Path:
        return self.file("field.json")


@dataclass(frozen=True, eq=False)
class _WriteTask(_RunTask):
    @property
    def output(self) -> Path:
        return shard_file(self.about.folder, self.run.shards[-1])


@dataclass(frozen=True)
class _PartTask:
    about: Selecting
    part: int
    field: Field | None

    def file(self, kind: str) -> Path:
        return self.about.file(f"{self.part:05d}.{kind}")

    @property
    def output(self) -> Path:
        return self.file("counts.parquet")


def select_by_parts(
    view: View,
    policy: Policy,
    *,
    eligible: Bools,
    folder: Path,
    guard: Callable[[Removals], None],
    memory_bytes: int,
    workers: ShardWorkers,
) -> Removals:
    """Select, and write the selection of each shard. The step of the workers is told of documents as they are ranked.

    Args:
        view: of the workspace.
        policy: which of several stays.
        eligible: bool (documents,).
        folder: where the selection is written; working files are removed.
        guard: raises where too much would be removed, and then nothing is written.
        memory_bytes: for all tasks of this process together.
        workers: who does them.
    """
    shutil.rmtree(folder / WORK, ignore_errors=True)  # of tasks that were killed
    try:
        tasks = _run_tasks(view, policy, eligible=eligible, folder=folder, memory_bytes=memory_bytes, workers=workers)
        about, of_runs = tasks[0].about, workers if len(tasks) > 1 else workers.here()  # one takes a second
        of_runs.run(_rank, tasks, amount=lambda task: task.end - task.first)
        field = _field(tasks) if policy.field else None
        parts = [_PartTask(about, part, field) for part in range(about.parts)]
        (workers if len(parts) > 1 else workers.here()).run(_select, parts)
        removals = Removals.sum([*map(_alone, tasks), *map(_removals, parts)])
        guard(removals)
        of_runs.run(_write, [_WriteTask(**vars(task)) for task in tasks])
    finally:
        shutil.rmtree(folder / WORK, ignore_errors=True)
    return removals


def _run_tasks(
    view: View, policy: Policy, *, eligible: Bools, folder: Path, memory_bytes: int, workers: ShardWorkers
) -> list[_RunTask]:
    """The runs, once what may have a duplicate is divided into parts."""
    shards, firsts = ranked_shards(view, policy, of=OF), view.open(Documents, OF).first_documents
    runs, duplicates = runs_of(firsts), view.open(FoundDuplicates).folder
    parts = divide(duplicates, documents=int(firsts[-1]), memory_bytes=workers.memory_a_task(memory_bytes))
    edges = firsts[[0, *(run.shards.stop for run in runs)]]
    about = Selecting(duplicates, policy, folder, edges, parts.count)
    save_array(about.file(PART_OF), parts.of_documents)
    members = load_array(LargeBuckets.path(duplicates, "documents"))
    save_array(about.file(PART_OF_MEMBERS), parts.of_documents[members])
    _write_frozen(about, parts.of_documents[about.documents :])
    save_array(about.file(ELIGIBLE), eligible)
    bounds = ((run, slice(run.shards.start, run.shards.stop)) for run in runs)
    return [_RunTask(about, run, firsts[some.start : some.stop + 1], shards[some]) for run, some in bounds]


def _write_frozen(about: Selecting, part_of: Array) -> None:
    frozen = read_parquet(about.duplicates / "frozen.parquet", columns=["document", "first_text"])
    _write_by_part(about.file(FROZEN), frozen, part_of, parts=about.parts)


def _write_by_part(path: Path, rows: pl.DataFrame, part_of: Array, *, parts: int) -> None:
    """Write the rows that are in a part, those of each part in a piece; the others' are 0."""
    order = np.argsort(part_of, kind="stable")
    cuts = np.searchsorted(part_of[order], np.arange(1, parts + 2))
    write_pieces(path, rows[order[cuts[0] :]], cuts - cuts[0])


def _field(tasks: Sequence[_RunTask]) -> Field:
    found = (read_json(task.output) for task in tasks)
    return Field.all((Field(tuple(one["numbers"]), one["some"]) for one in found), tasks[0].about.policy)


def _alone(task: _RunTask) -> Removals:
    """Documents without a duplicate are not removed."""
    return Removals(read_parquet(task.file(ALONE)), pl.DataFrame(schema=EXAMPLE))


def _removals(task: _PartTask) -> Removals:
    return Removals(read_parquet(task.output), read_parquet(task.file(EXAMPLES)))


def _rank(task: _RunTask) -> None:
    about, first = task.about, task.first
    part_of, eligible = about.between(PART_OF, first, task.end), task.eligible
    documents, field = _identified(task, eligible, part_of > 0)
    copies = read_between(about.duplicates / "copies.parquet", (first, task.end), by="document")
    numbers = np.arange(first, task.end)
    columns = {"document": numbers, "eligible": eligible}
    for name in ("first_copy", "first_text"):
        columns[name] = numbers.copy()
        columns[name][copies["document"].to_numpy() - first] = copies[name].to_numpy()
    if about.policy == LONGEST:
        columns[VALUE] = np.zeros(len(numbers), np.int64)
        visible = read_between(about.duplicates / "visible.parquet", (first, task.end), by="document")
        columns[VALUE][visible["document"].to_numpy() - first] = visible["characters"].to_numpy()
    mine = np.flatnonzero(part_of)
    documents = documents.hstack(pl.DataFrame({name: values[mine] for name, values in columns.items()}))
    _write_by_part(task.file(DOCUMENTS), documents, part_of[mine], parts=about.parts)
    pairs = read_between(about.duplicates / "pairs.parquet", (first, task.end), by="left").drop("similarity")
    of_pairs = part_of[pairs["left"].to_numpy() - first]
    _write_by_part(task.file(PAIRS), pairs, of_pairs, parts=about.parts)
    write_json_atomic(task.output, None if field is None else vars(field))


def _identified(task: _RunTask, eligible: Bools, involved: Bools) -> tuple[pl.DataFrame, Field | None]:
    """Those of a run's documents that may have a duplicate, with what they are ranked by; what is alone is counted."""
    policy, found, fields, alone = task.about.policy, list[pl.DataFrame](), list[Field](), Counter[str]()
    for shard, (begin, end) in zip(task.shards, pairwise(task.first_shards - task.first), strict=True):
        documents, values, mine = shard.identity(), shard.values(policy), involved[begin:end]
        others = documents["source"].filter(pl.Series(eligible[begin:end] & ~mine))
        alone.update(dict(others.value_counts().iter_rows()))
        if policy.field and values is not None:
            fields.append(Field.of(values))
        ranked = documents if values is None else documents.with_columns(values.alias(VALUE))
        found.append(ranked.filter(pl.Series(mine)))
    counts = {"source": [*alone], "eligible": [*alone.values()], "removed": [0] * len(alone)}
    write_parquet(task.file(ALONE), pl.DataFrame(counts, schema=COUNTS))
    return pl.concat(found), Field.merged(fields) if policy.field else None


def _select(task: _PartTask) -> None:
    about = task.about
    documents = read_pieces(about.files_of_runs(DOCUMENTS), task.part)
    numbers, duplicates = documents["document"].to_numpy(), _duplicates(task, documents)
    ranked = with_values(documents.select(IDENTITY), _values(task, documents), about.policy)
    found = select_among(
        duplicates, numbers, eligible=documents["eligible"].to_numpy(), order=about.policy.ranks(ranked)
    )
    selected = numbered(found, np.concatenate([numbers, duplicates.frozen["document"].to_numpy()]))
    write_pieces(task.file(SELECTED), selected, np.searchsorted(numbers, about.first_runs))
    removals = Removals.of(found, documents)
    examples = removals.examples.with_columns(document=documents["document"].gather(removals.examples["document"]))
    write_parquet(task.file(EXAMPLES), examples)
    write_parquet(task.output, removals.counts)


def _values(task: _PartTask, documents: pl.DataFrame) -> pl.Series | None:
    if VALUE not in documents.columns:
        return None
    return documents[VALUE] if task.field is None else task.field.cast(documents[VALUE])


def _duplicates(task: _PartTask, documents: pl.DataFrame) -> Duplicates:
    """Those of a part, in numbers of the corpus."""
    about = task.about
    config, bands, counts = read_facts(about.duplicates)
    return Duplicates(
        config=config,
        bands=bands,
        counts=counts,
        pairs=read_pieces(about.files_of_runs(PAIRS), task.part),
        copies=documents.select("document", "first_copy", "first_text").filter(
            pl.col("document") != pl.col("first_copy")
        ),
        empty=np.empty(0, np.int64),
        measured=pl.DataFrame(schema={"document": pl.Int64, "characters": pl.Int64}),
        buckets=_buckets(task),
        frozen=read_pieces([about.file(FROZEN)], task.part),
    )


def _buckets(task: _PartTask) -> LargeBuckets:
    about = task.about
    if about.parts == 1:
        return LargeBuckets.read(about.duplicates)
    members = np.flatnonzero(load_array(about.file(PART_OF_MEMBERS), mapped=True) == 1 + task.part)
    every = LargeBuckets.read(about.duplicates, mapped=True)
    return every.of(members, folder=task.output.parent, name=f"{task.part:05d}")


def _write(task: _WriteTask) -> None:
    about, first, eligible = task.about, task.first, task.eligible
    pieces = [about.file(f"{part:05d}.{SELECTED}") for part in range(about.parts)]
    found = read_pieces(pieces, task.run.number).sort("document")
    for shard, (begin, end) in zip(task.run.shards, pairwise(task.first_shards.tolist()), strict=True):
        mine = found.filter(pl.col("document").is_between(begin, end, closed="left"))
        selection = completed(mine, eligible[begin - first : end - first], first=begin)
        write_parquet(shard_file(about.folder, shard), selection_table(selection))


def selection_table(chosen: Selection) -> pl.DataFrame:
    """What is written of a selection, as `dq.stages.selection.Selected` has it."""
    table = pl.DataFrame(
        {
            "kept": chosen.kept,
            "kept_document": chosen.kept_index,
            "exact": chosen.exact,
            "similarity": chosen.similarity,
            "intersection": chosen.intersection,
            "union": chosen.union,
            "cluster_size": chosen.cluster_size,
        }
    )
    nothing = {name: pl.col("kept_document") < 0 for name in ("kept_document", "similarity")}
    nothing |= {name: pl.col("union") == 0 for name in ("intersection", "union")}
    return table.with_columns(
        pl.when(missing).then(None).otherwise(pl.col(name)).alias(name) for name, missing in nothing.items()
    )
