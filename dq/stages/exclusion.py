"""Which documents are too near to a held-out one: exact, through an inverted index of the held-out shingles.

Two tests, either excludes: word-5-gram Jaccard (near-copies of the whole document) and the share of the held-out
document's word 13-grams that a document holds (quotations of it inside something longer). Held-out documents enter
whole and, where only their beginning is scored, by that beginning too, so that what is scored is itself protected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.dedup.config import ShingleConfig
from dq.dedup.inverted import InvertedIndex
from dq.dedup.shingles import shingle
from dq.executors import QUIET, Executor, Step
from dq.store import write_parquet
from dq.text.buffers import Texts

__all__ = ["Overlaps", "find_overlaps", "near_duplicates_of"]

JACCARD_NGRAM, CONTAINMENT_NGRAM = 5, 13


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
        pl.read_parquet(task.output).with_columns(pl.col("document") + int(first))
        for task, first in zip(tasks, firsts, strict=True)
    ]
    return _nearest(pl.concat(frames))


def _overlaps_of_shard(task: _ShardTask) -> None:
    texts = Corpus(task.corpus).texts(task.shard)
    entries = pl.read_parquet(task.wanted.entries)["text"]
    found = near_duplicates_of(
        entries, texts, min_jaccard=task.wanted.min_jaccard, min_containment=task.wanted.min_containment
    )
    write_parquet(task.output, found)


def near_duplicates_of(entries: Texts, texts: Texts, *, min_jaccard: float, min_containment: float) -> pl.DataFrame:
    """The texts that are near to an entry: document and entry (row numbers), score, measure; one row a text.

    Of several entries the nearest is named, the first one on ties; near-copies go before quotations.
    """
    near = _neighbours(entries, texts, ngram=JACCARD_NGRAM, least=min_jaccard)
    quoted = _neighbours(entries, texts, ngram=CONTAINMENT_NGRAM, least=min_containment, containment=True)
    found = pl.concat(
        [near.with_columns(measure=pl.lit("jaccard_5gram")), quoted.with_columns(measure=pl.lit("containment_13gram"))]
    )
    return _nearest(found)


def _nearest(found: pl.DataFrame) -> pl.DataFrame:
    """One row a document: near-copies before quotations, the nearest entry, the first one on ties."""
    ranked = found.sort("document", "measure", "score", "entry", descending=[False, True, True, False])
    return ranked.unique("document", keep="first", maintain_order=True)


def _neighbours(entries: Texts, texts: Texts, *, ngram: int, least: float, containment: bool = False) -> pl.DataFrame:
    """Every pair of a text and an entry with a score of ``least`` or more: document, entry, score."""
    config = ShingleConfig(ngram=ngram)
    index = InvertedIndex(shingle(entries, config))
    pairs = index.neighbours(shingle(texts, config), least, containment=containment)
    whole = pl.Series(index.sizes[pairs["row"].to_numpy()]) if containment else pairs["union"]
    return pairs.select("document", pl.col("row").alias("entry"), (pl.col("intersection") / whole).alias("score"))
