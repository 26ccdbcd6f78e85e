"""What a deduplication leaves, whatever it compares: the documents that stay, the list of those removed, the counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dq.arrays import distinct
from dq.cards import CardConfig, Section, Source
from dq.corpus import Corpus
from dq.corpus.corpus import numbered
from dq.executors import Step, run_in_threads
from dq.files.card import Card, write_documents_card
from dq.stages.base import Need, Output, View
from dq.stages.duplicates import disk_errors
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.store import read_parquet, write_parquet, write_table

CARD_HEAD = ("source", "documents", "kept", "removed", "exact copies", "near copies")


class Kept(Output):
    """The documents that stay: one Parquet file a corpus shard, with the size of the cluster that each stands for."""

    made_by: ClassVar = {"kept": 4}
    needs: ClassVar = {"corpus": Need(Documents), "selection": Need(Selected)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``kept``."""
        return view.workspace.kept()


@dataclass(frozen=True)
class _WriteTask:
    shard: Path
    selection: Path
    output: Path


def write_kept(
    view: View,
    removed_table: Callable[[], pl.DataFrame],
    section: Callable[[], Section],
    *,
    card: CardConfig | None,
    threads: int,
    step: Step,
) -> None:
    """Write ``kept/`` and ``removed.parquet``, which belongs to the same stage, or find that it has been done.

    Args:
        view: of the workspace.
        removed_table: a row a removed document.
        section: of the card, about the deduplication.
        card: what only the user knows.
        threads: shards at a time.
        step: told of shards.
    """
    stage, removed = view.stage(Kept), view.workspace.removed()
    if stage.done() is not None and removed.exists():
        if card is not None:
            write_documents_card(stage, _card(view, section()), card)
        return
    stage.start()
    removed.unlink(missing_ok=True)
    corpus, selected = view.open(Documents), view.open(Selected)
    tasks = [
        _WriteTask(path, selection, stage.folder / path.name)
        for path, selection in zip(corpus.shards, selected.files, strict=True)
    ]

    def write(task: _WriteTask) -> None:
        if not task.output.exists():
            _write_shard(task)
        step.advance()

    with disk_errors(stage.folder):
        # Arrow lets go of the interpreter; processes would start for longer.
        run_in_threads(write, tasks, threads=threads)
        table = removed_table()
        write_parquet(removed, table)
    write_documents_card(stage, _card(view, section()), card)
    stage.commit({"kept": corpus.count - len(table), "removed": len(table)})


def _card(view: View, section: Section) -> Card:
    return Card(
        title="deduplicated",
        summary="Documents as they were read, of near-duplicates one. `cluster_size`: how many it stands for.",
        sources=[Source(one["source"], {"documents": one["kept"]}) for one in kept_by_source(view).to_dicts()],
        sections=[section],
    )


def _write_shard(task: _WriteTask) -> None:
    with pq.ParquetFile(task.shard) as file:
        shard = file.read(columns=["id", "source", "text", "meta"])
    chosen = read_parquet(task.selection, columns=["kept", "cluster_size"])
    shard = shard.append_column("cluster_size", chosen["cluster_size"].to_arrow())
    write_table(task.output, shard.filter(chosen["kept"].to_arrow()), repeated=["source"])


def removed_with_kept(corpus: Corpus, selected: Selected, earlier: pl.Series | None = None) -> pl.DataFrame:
    """One row a removed document: id, source, the columns of `Selected`, kept_id, occurrence, kept_occurrence.

    Args:
        corpus: the documents.
        selected: of them.
        earlier: ids of documents of an index, numbered after those of the corpus.
    """
    earlier = pl.Series("id", [], dtype=pl.String) if earlier is None else earlier
    firsts = corpus.first_documents
    parts = [
        shard.with_columns(document=int(first) + pl.int_range(pl.len())).filter(~pl.col("kept"))
        for first, shard in zip(firsts, selected.shards(), strict=False)
    ]
    removed = pl.concat(parts)
    documents, kept = removed["document"].to_numpy(), removed["kept_document"].to_numpy()
    number = pl.int_range(pl.len(), dtype=pl.UInt32).over("source", "id")
    numbers = numbered(corpus.hashes(["source", "id"]), lambda rows: corpus.rows(rows, ["source", "id"]), number)
    own = distinct(kept[kept < corpus.count])
    known = pl.DataFrame(
        {
            "kept_document": np.concatenate([own, corpus.count + np.arange(len(earlier))]),
            "kept_id": pl.concat([corpus.rows(own, ["id"])["id"], earlier]),
            "kept_occurrence": pl.Series([*numbers[own].tolist(), *[None] * len(earlier)], dtype=pl.UInt32),
        }
    )
    named = corpus.rows(documents, ["id", "source"]).hstack(removed.drop("document"))
    return named.join(known, on="kept_document", how="left", maintain_order="left").with_columns(
        occurrence=pl.Series(numbers[documents])
    )


def kept_by_source(view: View) -> pl.DataFrame:
    """A row a source: documents, kept, removed, and of these exact_copies and near_copies."""
    corpus, selected = view.open(Documents), view.open(Selected)
    counts = {
        "documents": pl.len(),
        "kept": pl.col("kept").sum(),
        "removed": (~pl.col("kept")).sum(),
        "exact_copies": pl.col("exact").sum(),
        "near_copies": (~pl.col("kept") & ~pl.col("exact")).sum(),
    }
    each = (
        corpus.of_shard(shard, ["source"])
        .hstack(selected.of_shard(shard, ["kept", "exact"]))
        .group_by("source")
        .agg(count.cast(pl.Int64).alias(name) for name, count in counts.items())
        for shard in range(len(corpus.shards))
    )
    return pl.concat(each).group_by("source").agg(pl.col(list(counts)).sum()).sort("source")
