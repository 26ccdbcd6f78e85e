"""Which documents of a corpus are too near to a held-out one, shard by shard (`dq.dedup.overlap` says what near is).

Held-out documents enter whole and, where only their beginning is scored, by that beginning too, so that what is scored
is itself protected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from dq.arrays import U64, distinct
from dq.corpus import Corpus
from dq.dedup.overlap import Entries, nearest_entries, shingles_to_quote
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
    fingerprint: str
    """Of what the files hold."""

    @property
    def limits(self) -> dict[str, float]:
        """What is near."""
        return {"min_jaccard": self.min_jaccard, "min_containment": self.min_containment}


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
    firsts = corpora[0].first_documents
    marks = np.split(held_out, firsts[1:-1])
    tasks = [
        _ShardTask(corpus.folder, shard, wanted, marks[shard])
        for corpus in corpora
        for shard in range(len(corpus.shards))
    ]
    executor.run(_overlaps_of_shard, tasks, output=lambda task: task.output, step=step)
    _ready.cache_clear()
    frames = [read_parquet(task.output).with_columns(pl.col("document") + int(firsts[task.shard])) for task in tasks]
    quoted = [read_parquet(task.quoted)["hash"].to_numpy() for task in tasks]
    return nearest_entries(pl.concat(frames)), distinct(np.concatenate(quoted))


def _overlaps_of_shard(task: _ShardTask) -> None:
    texts, (entries, to_quote) = Corpus(task.corpus).texts(task.shard), _ready(task.wanted)
    there = entries.look_in(texts, **task.wanted.limits)
    others = ~task.held_out
    others[there.near["document"].to_numpy()] = False
    quoted = there.quoted(to_quote, others)
    write_parquet(task.quoted, pl.DataFrame({"hash": quoted}, schema={"hash": pl.UInt64}))
    write_parquet(task.output, there.near)


@lru_cache(maxsize=1)
def _ready(wanted: Overlaps) -> tuple[Entries, U64]:
    """The entries, and the 13-grams that are looked for: made once a process, not for every shard."""
    return Entries(read_parquet(wanted.entries)["text"]), shingles_to_quote(read_parquet(wanted.scored)["text"])
