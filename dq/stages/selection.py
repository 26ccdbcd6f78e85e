"""The stage that selects: of each group of duplicates among the eligible documents one stays, by a policy.

Only documents that may have a duplicate are ranked and in memory; what is written goes by shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field

from dq.corpus import Corpus
from dq.dedup import Chosen, DedupConfig, Duplicates, Policy, Selection, choose, guard_removal
from dq.dedup.policy import LONGEST
from dq.errors import ConfigError
from dq.quality.signals import signal
from dq.stages.base import Need, View
from dq.stages.by_shard import ByShard, shard_file
from dq.stages.duplicates import FoundDuplicates
from dq.stages.heldout import Heldout
from dq.stages.ranked import ranked_documents
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.vectors import FoundVectors
from dq.stages.verdicts import Verdicts
from dq.store import Stage, write_parquet

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


class Selected(ByShard):
    """Which of the eligible documents stay, and what each removed one duplicates.

    Columns: kept, kept_document, exact, similarity, intersection, union, cluster_size. ``kept_document`` is the
    document itself where kept, null where not eligible; numbers past the corpus are rows of
    ``duplicates/frozen.parquet``. ``exact``: removed, and its canonical text is the kept one's. The counts of shingles
    are null for kept ones and where all shingles are equal.
    """

    made_by: ClassVar = {"select": 4}
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
    def kept(self) -> Bools:
        """Bool (documents,)."""
        return self.column("kept")

    @property
    def selection(self) -> Selection:
        """The selection as it was made."""
        table = self.table()
        return Selection(
            kept_index=table["kept_document"].fill_null(-1).to_numpy(),
            intersection=table["intersection"].fill_null(0).to_numpy(),
            union=table["union"].fill_null(0).to_numpy(),
            similarity=table["similarity"].fill_null(float("nan")).to_numpy(),
            exact=np.asarray(table["exact"].to_numpy()),
            cluster_size=table["cluster_size"].to_numpy(),
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
        duplicates, corpus = view.open(FoundDuplicates).duplicates, view.open(Documents, "deduplicated")
        order = config.keep.ranks(_ranked(view, config.keep, duplicates))
        chosen = choose(duplicates, eligible, order=order)
        guard_removal(
            chosen.of_rows,
            corpus.rows(chosen.rows, ["id", "source"]),
            max_removed_fraction=config.max_removed_fraction,
            allowed=config.allow_removal,
            others=_others(corpus, chosen),
        )
        write_selection(stage, corpus, chosen)
    return view.open(Selected)


def write_selection(stage: Stage, corpus: Corpus, chosen: Chosen) -> None:
    """Write a selection, one shard after another, and declare it finished."""
    kept = removed = 0
    for shard, (first, end) in enumerate(pairwise(corpus.first_documents)):
        part = chosen.between(first, end)
        write_parquet(shard_file(stage.folder, shard), selection_table(part))
        kept, removed = kept + int(part.kept.sum()), removed + int(part.removed.sum())
    stage.commit({"kept": kept, "removed": removed})


def selection_table(chosen: Selection) -> pl.DataFrame:
    """What is written of a selection, as `Selected` has it."""
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


def _others(corpus: Corpus, chosen: Chosen) -> dict[str, int]:
    """The eligible documents of each source that have no duplicate."""
    counts: Counter[str] = Counter()
    alone = chosen.eligible.copy()
    alone[chosen.rows] = False
    for shard, (first, end) in enumerate(pairwise(corpus.first_documents)):
        sources = corpus.of_shard(shard, ["source"])["source"].filter(pl.Series(alone[first:end]))
        counts.update(dict(sources.value_counts().iter_rows()))
    return counts


def _ranked(view: View, policy: Policy, duplicates: Duplicates) -> pl.DataFrame:
    """The documents that may have a duplicate, with the column that the policy ranks them by."""
    rows = duplicates.involved
    documents = ranked_documents(view, policy, of="deduplicated", rows=rows)
    if policy != LONGEST:
        return documents
    found, visible = duplicates.measured["document"].to_numpy(), np.zeros(len(rows), np.int64)
    mine = np.isin(found, rows)
    visible[np.searchsorted(rows, found[mine])] = duplicates.measured["characters"].to_numpy()[mine]
    return documents.with_columns(visible_characters=pl.Series(visible))
