"""Which documents of a corpus are too near to a held-out one, shard by shard (`dq.dedup.overlap` says what near is).

Held-out documents enter whole and, where only their beginning is scored, by that beginning too, so that what is scored
is itself protected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.dedup.overlap import near_duplicates_of, nearest_entries
from dq.executors import QUIET, Executor, Step
from dq.store import read_parquet, write_parquet


@dataclass(frozen=True)
class Overlaps:
    """What is looked for: texts near to an entry of a Parquet file with a `text` column; its number is its row."""

    entries: Path
    min_jaccard: float
    min_containment: float


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    wanted: Overlaps

    @property
    def output(self) -> Path:
        return self.wanted.entries.parent / f"overlap-{self.corpus.name}-{self.shard:05d}.parquet"


def find_overlaps(
    corpora: Sequence[Corpus], wanted: Overlaps, *, executor: Executor, step: Step = QUIET
) -> pl.DataFrame:
    """Every document that is near to an entry in any of its versions: document, entry, measure, score; a row each."""
    tasks = [_ShardTask(corpus.folder, shard, wanted) for corpus in corpora for shard in range(len(corpus.shards))]
    executor.run(_overlaps_of_shard, tasks, output=lambda task: task.output, step=step)
    shards = corpora[0].documents["shard"].to_numpy()
    firsts = np.searchsorted(shards, [task.shard for task in tasks])
    frames = [
        read_parquet(task.output).with_columns(pl.col("document") + int(first))
        for task, first in zip(tasks, firsts, strict=True)
    ]
    return nearest_entries(pl.concat(frames))


def _overlaps_of_shard(task: _ShardTask) -> None:
    texts = Corpus(task.corpus).texts(task.shard)
    entries = read_parquet(task.wanted.entries)["text"]
    found = near_duplicates_of(
        entries, texts, min_jaccard=task.wanted.min_jaccard, min_containment=task.wanted.min_containment
    )
    write_parquet(task.output, found)
