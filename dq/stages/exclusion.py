"""Which documents of a corpus are too near to a held-out one, shard by shard (`dq.dedup.overlap` says what near is).

Held-out documents enter whole and, where only their beginning is scored, by that beginning too, so that what is scored
is itself protected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arrays import U64
from dq.corpus import Corpus
from dq.dedup.overlap import near_duplicates_of, nearest_entries, quoted_shingles
from dq.executors import QUIET, Executor, Step
from dq.store import read_parquet, write_parquet

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Overlaps:
    """What is looked for: texts near to an entry of a Parquet file with a `text` column; its number is its row.

    ``scored`` is another such file, of texts whose quotations in the other documents are counted.
    """

    entries: Path
    scored: Path
    min_jaccard: float
    min_containment: float


@dataclass(frozen=True, eq=False)
class _ShardTask:
    corpus: Path
    shard: int
    wanted: Overlaps
    held_out: Bools

    @property
    def output(self) -> Path:
        return self.wanted.entries.parent / f"overlap-{self.corpus.name}-{self.shard:05d}.parquet"

    @property
    def quoted(self) -> Path:
        return self.wanted.entries.parent / f"quoted-{self.corpus.name}-{self.shard:05d}.parquet"


def find_overlaps(
    corpora: Sequence[Corpus], wanted: Overlaps, *, held_out: Bools, executor: Executor, step: Step = QUIET
) -> tuple[pl.DataFrame, U64]:
    """Every document that is near to an entry in any of its versions: document, entry, measure, score; a row each.

    Also the word 13-grams of what is scored that stand in any other document, by themselves too few to exclude it.
    """
    shards = corpora[0].documents["shard"].to_numpy()
    tasks = [
        _ShardTask(corpus.folder, shard, wanted, held_out[shards == shard])
        for corpus in corpora
        for shard in range(len(corpus.shards))
    ]
    executor.run(_overlaps_of_shard, tasks, output=lambda task: task.output, step=step)
    firsts = np.searchsorted(shards, [task.shard for task in tasks])
    frames = [
        read_parquet(task.output).with_columns(pl.col("document") + int(first))
        for task, first in zip(tasks, firsts, strict=True)
    ]
    quoted = [read_parquet(task.quoted)["hash"].to_numpy() for task in tasks]
    return nearest_entries(pl.concat(frames)), np.unique(np.concatenate(quoted))


def _overlaps_of_shard(task: _ShardTask) -> None:
    texts = Corpus(task.corpus).texts(task.shard)
    entries = read_parquet(task.wanted.entries)["text"]
    found = near_duplicates_of(
        entries, texts, min_jaccard=task.wanted.min_jaccard, min_containment=task.wanted.min_containment
    )
    others = ~task.held_out
    others[found["document"].to_numpy()] = False
    quoted = quoted_shingles(read_parquet(task.wanted.scored)["text"], texts.filter(pa.array(others)))
    write_parquet(task.quoted, pl.DataFrame({"hash": quoted}, schema={"hash": pl.UInt64}))
    write_parquet(task.output, found)
