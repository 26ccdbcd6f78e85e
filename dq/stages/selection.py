"""The stage that selects: of each group of duplicates among the eligible documents one stays, by a policy.

Policies beyond length and source need a column: ``best:SIGNAL`` takes it from the signals, ``earliest:FIELD`` from the
field of the rows as they were read.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field

from dq.dedup import DedupConfig, Policy, Selection, guard_removal, select
from dq.dedup.policy import LONGEST
from dq.errors import ConfigError, nearest
from dq.quality.signals import signal
from dq.stages.base import Need, Output, View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.vectors import FoundVectors
from dq.stages.verdicts import Verdicts
from dq.store import read_parquet, write_parquet

FILE = "selection.parquet"
JOB_NEEDS = ("duplicates", "heldout", "tokens", "verdicts")
"""What a job's selection is made from. Tokens decide nothing in it: finished studies name fingerprints with them."""

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


def _of_known_signal(keep: Policy) -> Policy:
    try:
        _ = keep.signal and signal(keep.signal)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return keep


KnownPolicy = Annotated[Policy, AfterValidator(_of_known_signal)]
"""A policy whose signal, if it needs one, is in the table of signals."""


class DeduplicationConfig(DedupConfig):
    """Deduplication, which of the duplicates stays, and how much may go."""

    keep: KnownPolicy = LONGEST
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
        return (self.keep.signal,) if self.keep.signal else ()


class Selected(Output):
    """Which of the eligible documents stay, and what each removed one duplicates."""

    made_by: ClassVar = {"select": 3}
    needs: ClassVar = {
        "duplicates": Need(FoundDuplicates),
        "heldout": Need(Heldout),
        "signals": Need(Signals),
        "tokens": Need(TokenPool),
        "vectors": Need(FoundVectors),
        "verdicts": Need(Verdicts),
    }

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``selection/<version>``."""
        return view.workspace.selection(view.texts.deduplicated)

    @property
    def by_meaning(self) -> bool:
        """Whether similarities are cosines of vectors, and not of shingles."""
        return "vectors" in self.record.inputs

    @property
    def file(self) -> Path:
        """The table, for whoever reads a part of it."""
        return self.folder / FILE

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row a document: kept, kept_document, exact, similarity, intersection, union, cluster_size.

        ``kept_document`` is the document itself where kept, null where not eligible; numbers past the corpus are rows
        of ``duplicates/frozen.parquet``. ``exact``: removed, and its canonical text is the kept one's. The counts of
        shingles are null for kept ones and where all shingles are equal.
        """
        return read_parquet(self.file)

    @property
    def kept(self) -> Bools:
        """Bool (documents,)."""
        return np.asarray(self.table["kept"].to_numpy())

    @property
    def selection(self) -> Selection:
        """The selection as it was made."""
        return Selection(
            kept_index=self.table["kept_document"].fill_null(-1).to_numpy(),
            intersection=self.table["intersection"].fill_null(0).to_numpy(),
            union=self.table["union"].fill_null(0).to_numpy(),
            similarity=self.table["similarity"].fill_null(float("nan")).to_numpy(),
            exact=np.asarray(self.table["exact"].to_numpy()),
            cluster_size=self.table["cluster_size"].to_numpy(),
            verified_at_selection=0,
        )


def select_documents(view: View, config: DeduplicationConfig, *, eligible: Bools, uses: Collection[str]) -> Selected:
    """Choose what stays among the eligible documents, or find that it has been done.

    Args:
        view: of the workspace.
        config: the policy and the guard.
        eligible: bool (documents,).
        uses: the names of all that decides ``eligible``, and of the duplicates.

    Raises:
        InputError: a source would lose more than the guard permits.
        ConfigError: the policy's field is in no document.
    """
    policy = config.model_dump(mode="json", include={"keep", "max_removed_fraction", "allow_removal"})
    stage = view.stage(Selected, config=policy, uses=uses)
    if stage.done() is None:
        stage.start()
        duplicates = view.open(FoundDuplicates).duplicates
        chosen = select(duplicates, eligible, order=config.keep.ranks(_ranked(view, config.keep)))
        guard_removal(
            chosen,
            view.open(Documents, "deduplicated").documents,
            max_removed_fraction=config.max_removed_fraction,
            allowed=config.allow_removal,
        )
        write_parquet(stage.folder / FILE, selection_table(chosen))
        stage.commit({"kept": int(chosen.kept.sum()), "removed": int(chosen.removed.sum())})
    return view.open(Selected)


def selection_table(chosen: Selection) -> pl.DataFrame:
    """What is written of a selection, as `Selected.table` has it."""
    table = pl.DataFrame(
        {
            "kept": chosen.kept,
            "kept_document": chosen.kept_index,
            "exact": chosen.exact,
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


def _ranked(view: View, policy: Policy) -> pl.DataFrame:
    """The documents with the column that the policy ranks them by."""
    if policy == LONGEST:
        visible = view.open(FoundDuplicates).duplicates.visible
        return view.open(Documents, "deduplicated").documents.with_columns(visible_characters=pl.Series(visible))
    return ranked_documents(view, policy, of="deduplicated")


def ranked_documents(view: View, policy: Policy, *, of: str) -> pl.DataFrame:
    """The documents of a text version, with the column of the policy; `longest` counts its own.

    Raises:
        ConfigError: no document has the field, or the source.
    """
    corpus = view.open(Documents, of)
    if policy.signal:
        return corpus.documents.hstack(view.open(Signals).table([policy.signal]))
    known = corpus.documents["source"].unique()
    if unknown := [source for source in policy.sources if source not in known]:
        raise ConfigError(f"`keep`: {policy}: {nearest(unknown[0], known.sort(), what='source')}", field="keep")
    if policy.field:
        ties = corpus.documents.select("content_key", "occurrence", id="id", source="source")
        return ties.drop(policy.field, strict=False).with_columns(_field(corpus, policy.field).alias(policy.field))
    return corpus.documents


def _field(corpus: Documents, name: str) -> pl.Series:
    """A field of the rows beside text, id and source: numbers where every value is one, else text.

    Dates as text compare rightly when they are written alike, year first (ISO 8601).
    """
    path = f"$[{name!r}]"
    try:
        shards = [read_parquet(shard, columns=["meta"])["meta"].str.json_path_match(path) for shard in corpus.shards]
    except pl.exceptions.ComputeError:
        message = f"`keep`: earliest:{name}: not the name of a field; use letters, digits, `_` and `-`"
        raise ConfigError(message, field="keep") from None
    values: pl.Series = pl.concat(shards)
    if values.null_count() == len(values):
        message = f"`keep`: earliest:{name}: no document has a field {name!r}; name a field of your rows"
        raise ConfigError(message, field="keep")
    for kind in (pl.Int64, pl.Float64):
        numbers = values.cast(kind, strict=False)
        if numbers.null_count() == values.null_count():
            return numbers
    return values
