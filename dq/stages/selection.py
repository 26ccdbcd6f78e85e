"""The two stages of deduplication over a corpus: find verified pairs once, select what stays as often as asked.

Used by whole jobs and by `dq dedup`. Policies beyond bytes and source need a column: ``best:SIGNAL`` takes it from the
score stage, ``earliest:FIELD`` from the field of the rows as they were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from dq.corpus import Corpus
from dq.dedup import (
    DedupConfig,
    DuplicateIndex,
    Duplicates,
    Resources,
    find_duplicates,
    guard_removal,
    keep_order,
    select,
)
from dq.dedup import Selection as Selected
from dq.errors import ConfigError, WorkspaceError
from dq.quality.registry import signal
from dq.store import Stage, StageRecord, read_record, write_parquet

__all__ = ["DeduplicationConfig", "disk_errors", "find_stage", "read_selection", "select_stage", "shard_readers"]

DUPLICATES_VERSION = 1
SELECTION_VERSION = 2

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class DeduplicationConfig(DedupConfig):
    """Deduplication, which of the duplicates stays, and how much may go."""

    keep: str = "longest"
    """Policy: `longest`, `best:SIGNAL`, `earliest:FIELD`, `prefer:SOURCE,SOURCE`. Ties: content key, source, id."""
    max_removed_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of a source's documents past which their removal stops the job."""
    allow_removal: tuple[str, ...] = ()
    """Sources that may lose any share."""

    @property
    def method(self) -> DedupConfig:
        """What counts as a duplicate, without the policy and the guard."""
        return DedupConfig(**self.model_dump(exclude={"keep", "max_removed_fraction", "allow_removal"}))

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the policy needs."""
        kind, _, name = self.keep.partition(":")
        return (name,) if kind == "best" else ()

    @field_validator("keep")
    @classmethod
    def _policy(cls, keep: str) -> str:
        kind, _, name = keep.partition(":")
        names = [part.strip() for part in name.split(",")] if kind == "prefer" else [name.strip()]
        named = kind in ("best", "earliest", "prefer") and all(names)
        if keep != "longest" and not named:
            raise ValueError("use `longest`, `best:SIGNAL`, `earliest:FIELD` or `prefer:SOURCE,SOURCE`")
        if kind == "best":
            try:
                signal(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return keep


def shard_readers(corpus: Corpus) -> list[Callable[[], object]]:
    """A function for each shard that reads its texts."""

    def reader(number: int) -> Callable[[], object]:
        return lambda: corpus.texts(number)

    return [reader(number) for number in range(len(corpus.shards))]


def find_stage(
    folder: Path,
    corpus: Corpus,
    config: DedupConfig,
    *,
    resources: Resources,
    index: DuplicateIndex | None = None,
) -> Duplicates:
    """Copies and verified pairs of a corpus, made or found finished in ``folder``.

    With an index the result depends on the batches that were added before this corpus, so they are inputs too.
    """
    identity = corpus.record.fingerprint
    inputs = {"corpus": identity}
    if index is not None:
        inputs["index"] = index.state_before(identity)
    stage = Stage("duplicates", DUPLICATES_VERSION, folder, config=config, inputs=inputs)
    if stage.done() is None:
        stage.start(keep=["signatures"])  # another threshold needs no new ones
        with disk_errors(folder):
            found = find_duplicates(
                shard_readers(corpus), config, folder=folder, inputs=identity, index=index, resources=resources
            )
        stage.commit({"verified_pairs": found.counts.verified_pairs, "exact_copies": found.counts.exact_copies})
    return Duplicates.read(folder)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say on one line what went wrong with the disk while ``folder`` was written."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:  # polars reports a full disk as the latter
        reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
        raise WorkspaceError(f"{folder}: cannot be written: {reason}; free some space and run again") from None


def select_stage(
    folder: Path,
    corpus: Corpus,
    duplicates: Duplicates,
    *,
    config: DeduplicationConfig,
    eligible: Bools,
    inputs: Mapping[str, str],
    signals: Path,
    flag: str,
    also: Callable[[Bools], None] = lambda _kept: None,
) -> StageRecord:
    """Choose what stays among the eligible documents, and write ``selection.parquet``, one row a document.

    Columns: kept; kept_document (the document itself where kept, null where not eligible; numbers past the corpus are
    rows of ``duplicates/frozen.parquet``), similarity, intersection, union (null for kept ones and exact copies),
    cluster_size.

    Args:
        folder: of the stage.
        corpus: the documents.
        duplicates: what was found among them.
        config: the policy and the guard.
        eligible: bool (documents,).
        inputs: fingerprints of all that decides ``eligible``, and of the duplicates.
        signals: folder of the score stage, read for ``best:SIGNAL``.
        flag: how the user allows a source to lose more than its share.
        also: writes further files of the stage, given which documents are kept.

    Raises:
        InputError: a source would lose more than the guard permits.
        ConfigError: the policy's field is in no document.
    """
    policy = {name: getattr(config, name) for name in ("keep", "max_removed_fraction", "allow_removal")}
    stage = Stage("select", SELECTION_VERSION, folder, config=policy, inputs=dict(inputs))
    if (record := stage.done()) is not None:
        return record
    stage.start()
    chosen = select(duplicates, eligible, order=keep_order(config.keep, _ranked(corpus, config.keep, signals)))
    guard_removal(
        chosen,
        corpus.documents,
        max_removed_fraction=config.max_removed_fraction,
        allowed=config.allow_removal,
        flag=flag,
    )
    write_parquet(folder / "selection.parquet", _table(chosen))
    also(chosen.kept)
    return stage.commit({"kept": int(chosen.kept.sum()), "removed": int(chosen.removed.sum())})


def _table(chosen: Selected) -> pl.DataFrame:
    table = pl.DataFrame(
        {
            "kept": chosen.kept,
            "kept_document": chosen.kept_index,
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


def read_selection(folder: Path) -> Selected:
    """The selection as it was made.

    Raises:
        WorkspaceError: the stage has not finished, or is of another version of dq.
    """
    read_record(folder)
    table = pl.read_parquet(folder / "selection.parquet")
    if "union" not in table.columns:
        raise WorkspaceError(f"{folder}: made by another version of dq; run the job again")
    return Selected(
        kept_index=table["kept_document"].fill_null(-1).to_numpy(),
        intersection=table["intersection"].fill_null(0).to_numpy(),
        union=table["union"].fill_null(0).to_numpy(),
        similarity=table["similarity"].fill_null(float("nan")).to_numpy(),
        cluster_size=table["cluster_size"].to_numpy(),
        verified_at_selection=0,
    )


def _ranked(corpus: Corpus, policy: str, signals: Path) -> pl.DataFrame:
    """The documents with the column that the policy ranks them by."""
    kind, _, name = policy.partition(":")
    if kind == "best":
        values = pl.concat([pl.read_parquet(signals / path.name, columns=[name]) for path in corpus.shards])
        return corpus.documents.hstack(values)
    if kind == "prefer":
        known = corpus.documents["source"].unique()
        if unknown := [one for one in (part.strip() for part in name.split(",")) if one not in known]:
            sources = ", ".join(known.sort().head(10))
            raise ConfigError(f"keep: {policy}: no document is of the source {unknown[0]!r}; there are {sources}")
    if kind == "earliest":
        ties = corpus.documents.select("content_key", "occurrence", id="id", source="source")
        return ties.drop(name, strict=False).with_columns(_field(corpus, name).alias(name))
    return corpus.documents


def _field(corpus: Corpus, name: str) -> pl.Series:
    """A field of the rows beside text, id and source: numbers where every value is one, else text.

    Dates as text compare rightly when they are written alike, year first (ISO 8601).
    """
    path = f"$[{name!r}]"
    try:
        shards = [pl.read_parquet(shard, columns=["meta"])["meta"].str.json_path_match(path) for shard in corpus.shards]
    except pl.exceptions.ComputeError:
        raise ConfigError(f"keep: earliest:{name}: not the name of a field; use letters, digits, `_` and `-`") from None
    values: pl.Series = pl.concat(shards)
    if values.null_count() == len(values):
        raise ConfigError(f"keep: earliest:{name}: no document has a field {name!r}; name a field of your rows")
    for kind in (pl.Int64, pl.Float64):
        numbers = values.cast(kind, strict=False)
        if numbers.null_count() == values.null_count():
            return numbers
    return values
