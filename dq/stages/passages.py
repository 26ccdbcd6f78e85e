"""The stage that finds repeated passages of a corpus: every piece with its proof, and what is cut of each document."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from dq.dedup import Passages, RepeatedPassages, Resources, find_passages
from dq.dedup.policy import LONGEST
from dq.errors import InputError, listed
from dq.executors import QUIET, Step
from dq.stages.base import ORIGINAL, Need, Output, View
from dq.stages.duplicates import disk_errors, shard_readers
from dq.stages.ranked import ranked_documents
from dq.stages.read import Documents
from dq.stages.selection import KnownPolicy
from dq.stages.signals import Signals
from dq.store import read_parquet, write_parquet

FILE = "pieces.parquet"


class PassageConfig(RepeatedPassages):
    """Repeated passages, and how much of a source may go."""

    keep: KnownPolicy = LONGEST
    """Which document keeps a passage that several have: `longest`, `best:SIGNAL`, `earliest:FIELD`,
    `prefer:SOURCE,SOURCE`. Ties: content key, source, id."""
    max_removed_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of a source's bytes past which cutting them stops the job."""
    allow_removal: tuple[str, ...] = ()
    """Sources that may lose any share."""


class FoundPassages(Output):
    """Repeated passages of the documents as they were read."""

    made_by: ClassVar = {"passages": 1}
    needs: ClassVar = {"corpus": Need(Documents), "signals": Need(Signals)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``passages/original``."""
        return view.workspace.folder("passages", ORIGINAL)

    @cached_property
    def pieces(self) -> pl.DataFrame:
        """As of :class:`dq.dedup.Passages`."""
        return read_parquet(self.folder / FILE)

    def passages(self, documents: pl.DataFrame) -> Passages:
        """What was found, given the documents of the corpus."""
        options = RepeatedPassages.model_validate(self.record.config)
        return Passages(options, documents["n_bytes"].to_numpy(), self.pieces)


def passages_of(view: View, config: PassageConfig, *, resources: Resources, step: Step = QUIET) -> FoundPassages:
    """Find the repeated passages, or find that it has been done. The step counts documents as they are read."""
    uses = ("corpus", "signals") if config.keep.signal else ("corpus",)
    stage = view.stage(FoundPassages, config=config.config(), uses=uses)
    if stage.done() is None:
        stage.start()
        corpus = view.open(Documents)
        with disk_errors(stage.folder):
            found = find_passages(
                shard_readers(corpus),
                config,
                documents=ranked_documents(view, config.keep, of=ORIGINAL),
                folder=stage.folder,
                resources=resources,
                step=step,
            )
            write_parquet(stage.folder / FILE, found.pieces)
        stage.commit({"pieces": len(found.pieces), "cut_bytes": int(found.cut_bytes.sum())})
    return view.open(FoundPassages)


def guard_passages(table: pl.DataFrame, config: PassageConfig) -> None:
    """Stop where a source would lose too much.

    Args:
        table: one row a source: source, bytes, kept_bytes.
        config: the share, and the sources that may lose any.

    Raises:
        InputError: a source that is not allowed to loses more; names the field that allows it.
    """
    lost = table.with_columns(share=1 - pl.col("kept_bytes") / pl.max_horizontal("bytes", 1))
    beyond = lost.filter(
        (pl.col("share") > config.max_removed_fraction) & ~pl.col("source").is_in(config.allow_removal)
    )
    if not len(beyond):
        return
    worst = beyond.sort("share", "source", descending=[True, False]).row(0, named=True)
    raise InputError(
        f"source {worst['source']}: {worst['share']:.0%} of its {worst['bytes']:,} bytes are passages that stand "
        f"elsewhere, more than {config.max_removed_fraction:.0%}; if they are to go, name the sources in "
        f"`allow_removal`: {listed([*beyond['source'].sort()])}",
        field="allow_removal",
    )


def lost_by_source(passages: Passages, sources: pl.Series) -> pl.DataFrame:
    """One row a source, by name: documents, bytes, kept_bytes, cut (documents that lose some), emptied."""
    rest = passages.rest_bytes
    frame = pl.DataFrame(
        {
            "source": sources,
            "bytes": passages.n_bytes,
            "kept_bytes": rest,
            "cut": rest < passages.n_bytes,
            "emptied": passages.emptied,
        }
    )
    counts = (pl.col(name).sum().cast(pl.Int64) for name in frame.columns[1:])
    return frame.group_by("source").agg(pl.len().cast(pl.Int64).alias("documents"), *counts).sort("source")
