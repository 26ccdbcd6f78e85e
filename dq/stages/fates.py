"""The stage that says what became of every document: the one table that variants, reports and inspection read.

Its record names the text versions of the job, and with it a job is finished: it is written last.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from dq.executors import QUIET, Executor, Step
from dq.stages.base import Need, View
from dq.stages.by_shard import ByShard, shard_file
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import read_parquet, write_parquet

FATES = ("held_out", "excluded", "dropped", "removed", "kept")
"""Held out; too near to a held-out document; dropped by a rule; a duplicate of a kept one; kept. One a document."""

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class Fates(ByShard):
    """What became of every document."""

    made_by: ClassVar = {"fates": 2}
    needs: ClassVar = {
        "heldout": Need(Heldout),
        "selection": Need(Selected),
        "tokens": Need(TokenPool),
        "verdicts": Need(Verdicts),
    }

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``fates``."""
        return view.workspace.fates()

    @cached_property
    def fate(self) -> pl.Series:
        """One of `FATES` a document, in the corpus's order."""
        return self.table(["fate"])["fate"]

    def having(self, *fates: str) -> Bools:
        """The documents with one of these fates: bool (documents,)."""
        return np.asarray(self.fate.is_in(fates).to_numpy())


@dataclass(frozen=True, eq=False)
class _ShardTask:
    held_out: Bools
    excluded: Bools
    verdicts: Path
    selection: Path
    output: Path


def settle_fates(view: View, *, executor: Executor, step: Step = QUIET) -> Fates:
    """Write down what became of every document, or find that it has been done. The step counts shards."""
    stage = view.stage(Fates, config={"texts": view.texts})
    if stage.done() is None:
        stage.start()
        heldout, verdicts, selected = view.open(Heldout), view.open(Verdicts), view.open(Selected)
        firsts = view.open(Documents).first_documents[1:-1]
        marks = zip(np.split(heldout.held_out, firsts), np.split(heldout.excluded, firsts), strict=True)
        tasks = [
            _ShardTask(
                held_out, excluded, verdicts.files[shard], selected.files[shard], shard_file(stage.folder, shard)
            )
            for shard, (held_out, excluded) in enumerate(marks)
        ]
        executor.run(_settle_shard, tasks, output=lambda task: task.output, step=step)
        counts: Counter[str] = Counter()
        for task in tasks:
            counts.update(dict(read_parquet(task.output)["fate"].value_counts().iter_rows()))
        stage.commit({name: counts[name] for name in FATES})
    return view.open(Fates)


def _settle_shard(task: _ShardTask) -> None:
    dropped = ~read_parquet(task.verdicts, columns=["keep"])["keep"].to_numpy()
    removed = ~read_parquet(task.selection, columns=["kept"])["kept"].to_numpy()
    fate = np.select([task.held_out, task.excluded, dropped, removed], FATES[:-1], default=FATES[-1])
    write_parquet(task.output, pl.DataFrame({"fate": pl.Series(fate, dtype=pl.Enum(FATES))}))


def count_fates(view: View) -> pl.DataFrame:
    """One row a source and fate: documents, n_bytes and tokens, all int64."""
    corpus, fates, pool = view.open(Documents, "trained"), view.open(Fates), view.open(TokenPool)
    names, counted = ("documents", "n_bytes", "tokens"), []
    for shard, (first, end) in enumerate(pairwise(corpus.first_documents)):
        frame = corpus.of_shard(shard, ["source", "n_bytes"]).with_columns(
            fates.of_shard(shard)["fate"].cast(pl.String), pl.Series("tokens", pool.lengths[first:end])
        )
        sums = pl.len().cast(pl.Int64).alias("documents"), pl.col("n_bytes").sum(), pl.col("tokens").sum()
        counted.append(frame.group_by("source", "fate").agg(sums))
    return pl.concat(counted).group_by("source", "fate").agg(pl.col(names).sum()).sort("source", "fate")
