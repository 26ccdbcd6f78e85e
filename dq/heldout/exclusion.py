"""Which documents are too near to a held-out one: exact, through an inverted index of the held-out shingles.

Two tests, either excludes: word-5-gram Jaccard (near-copies of the whole document) and the share of the held-out
document's word 13-grams that a document holds (quotations of it inside something longer). Held-out documents enter
whole and, where only their beginning is scored, by that beginning too, so that what is scored is itself protected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.dedup.config import ShingleConfig
from dq.dedup.shingles import Shingles, shingle
from dq.executors import run_tasks
from dq.heldout.kernels import best_overlap, build_table
from dq.store import write_parquet
from dq.text.buffers import Texts

__all__ = ["Overlap", "ShingleIndex", "find_overlaps", "near_duplicates_of"]

JACCARD_NGRAM, CONTAINMENT_NGRAM = 5, 13


@dataclass(frozen=True)
class Overlap:
    """The best match of each document of a batch: entry int64 (-1: none), score float64 in 0..1; both (n,)."""

    entry: np.ndarray[Any, np.dtype[np.int64]]
    score: np.ndarray[Any, np.dtype[np.float64]]


class ShingleIndex:
    """Inverted index of the word n-grams of some texts."""

    def __init__(self, texts: Texts, *, ngram: int) -> None:
        self.ngram = ngram
        shingles = shingle(texts, ShingleConfig(ngram=ngram))
        self._sizes = np.diff(shingles.offsets)
        owner = np.repeat(np.arange(len(self._sizes)), self._sizes)
        order = np.argsort(shingles.hashes, kind="stable")
        keys, first = np.unique(shingles.hashes[order], return_index=True)
        self._postings = owner[order]
        self._posting_offsets = np.append(first, len(order)).astype(np.int64)
        capacity = 1 << max(4, int(2 * len(keys)).bit_length())
        self._table_keys = np.zeros(capacity, np.uint64)
        self._table_rows = np.full(capacity, -1, np.int64)
        build_table(keys, self._table_keys, self._table_rows)

    def overlaps(self, shingles: Shingles, *, jaccard: bool) -> Overlap:
        """The highest Jaccard (or containment of the indexed text) of each document of a batch."""
        n = len(shingles.offsets) - 1
        entry, shared, score = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
        best_overlap(
            shingles.hashes,
            shingles.offsets,
            self._table_keys,
            self._table_rows,
            self._posting_offsets,
            self._postings,
            self._sizes,
            jaccard,
            entry,
            shared,
            score,
        )
        return Overlap(entry, score)


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    entries: Path
    output: Path
    min_jaccard: float
    min_containment: float


def find_overlaps(
    corpus: Corpus, entries: Path, folder: Path, *, min_jaccard: float, min_containment: float, workers: int
) -> pl.DataFrame:
    """Every document of the corpus that is near to an entry: document, entry, measure, score; one row a document.

    ``entries`` is a Parquet file with a `text` column; an entry's number is its row.
    """
    tasks = [
        _ShardTask(corpus.folder, shard, entries, folder / f"overlap-{shard:05d}.parquet", min_jaccard, min_containment)
        for shard in range(len(corpus.shards))
    ]
    run_tasks(_overlaps_of_shard, tasks, workers=workers, preload=["dq.heldout.exclusion"])
    frames, first = [], 0
    counts = corpus.documents.group_by("shard", maintain_order=True).len()["len"]
    for task, count in zip(tasks, counts, strict=True):
        frames.append(pl.read_parquet(task.output).with_columns(pl.col("document") + first))
        first += int(count)
    return pl.concat(frames)


def _overlaps_of_shard(task: _ShardTask) -> None:
    if task.output.exists():
        return
    texts = Corpus(task.corpus).texts(task.shard)
    entries = pl.read_parquet(task.entries)["text"]
    found = near_duplicates_of(entries, texts, min_jaccard=task.min_jaccard, min_containment=task.min_containment)
    write_parquet(task.output, found)


def near_duplicates_of(entries: Texts, texts: Texts, *, min_jaccard: float, min_containment: float) -> pl.DataFrame:
    """The texts that are near to an entry: document and entry (row numbers), score, measure; one row a text."""
    near = _overlap(texts, entries, ngram=JACCARD_NGRAM, jaccard=True)
    quoted = _overlap(texts, entries, ngram=CONTAINMENT_NGRAM, jaccard=False)
    rows = []
    for name, overlap, least in (
        ("jaccard_5gram", near, min_jaccard),
        ("containment_13gram", quoted, min_containment),
    ):
        hit = np.flatnonzero((overlap.entry >= 0) & (overlap.score >= least))
        rows.append(
            pl.DataFrame(
                {"document": hit.astype(np.int64), "entry": overlap.entry[hit], "score": overlap.score[hit]}
            ).with_columns(pl.lit(name).alias("measure"))
        )
    found = pl.concat(rows).sort("document", "measure", descending=[False, True])
    return found.unique("document", keep="first", maintain_order=True)


def _overlap(texts: Texts, entries: Texts, *, ngram: int, jaccard: bool) -> Overlap:
    shingles = shingle(texts, ShingleConfig(ngram=ngram))
    return ShingleIndex(entries, ngram=ngram).overlaps(shingles, jaccard=jaccard)
