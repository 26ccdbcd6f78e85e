"""Which documents are too near to a held-out one: exact, through an inverted index of the held-out shingles.

Two tests, either excludes: word-5-gram Jaccard (near-copies of the whole document) and the share of the held-out
document's word 13-grams that a document holds (quotations of it inside something longer). Held-out documents enter
whole and, where only their beginning is scored, by that beginning too, so that what is scored is itself protected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dq.corpus import Corpus
from dq.dedup.config import ShingleConfig
from dq.dedup.inverted import InvertedIndex
from dq.dedup.shingles import shingle
from dq.executors import run_tasks
from dq.store import write_parquet
from dq.text.buffers import Texts

__all__ = ["find_overlaps", "near_duplicates_of"]

JACCARD_NGRAM, CONTAINMENT_NGRAM = 5, 13


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
    run_tasks(_overlaps_of_shard, tasks, workers=workers, preload=["dq.stages.exclusion"])
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
    """The texts that are near to an entry: document and entry (row numbers), score, measure; one row a text.

    Of several entries the nearest is named, the first one on ties; near-copies go before quotations.
    """
    near = _neighbours(entries, texts, ngram=JACCARD_NGRAM, least=min_jaccard)
    quoted = _neighbours(entries, texts, ngram=CONTAINMENT_NGRAM, least=min_containment, containment=True)
    found = pl.concat(
        [near.with_columns(measure=pl.lit("jaccard_5gram")), quoted.with_columns(measure=pl.lit("containment_13gram"))]
    )
    ranked = found.sort("document", "measure", "score", "entry", descending=[False, True, True, False])
    return ranked.unique("document", keep="first", maintain_order=True)


def _neighbours(entries: Texts, texts: Texts, *, ngram: int, least: float, containment: bool = False) -> pl.DataFrame:
    """Every pair of a text and an entry with a score of ``least`` or more: document, entry, score."""
    config = ShingleConfig(ngram=ngram)
    index = InvertedIndex(shingle(entries, config))
    pairs = index.neighbours(shingle(texts, config), least, containment=containment)
    whole = pl.Series(index.sizes[pairs["row"].to_numpy()]) if containment else pairs["union"]
    return pairs.select("document", pl.col("row").alias("entry"), (pl.col("intersection") / whole).alias("score"))
