"""The stage that selects: of each group of duplicates among the eligible documents one stays, by a policy."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from pydantic import AfterValidator, Field

from dq.corpus import Corpus
from dq.dedup import Chosen, DedupConfig, Policy, Resources, Selection
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.policy import LONGEST
from dq.errors import ConfigError
from dq.executors import QUIET, Executor, LocalExecutor, Step
from dq.quality.signals import signal
from dq.stages.base import Need, View
from dq.stages.by_shard import ByShard, shard_file
from dq.stages.duplicates import FoundDuplicates, disk_errors
from dq.stages.heldout import Heldout
from dq.stages.select_tasks import select_by_parts, selection_table
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


def select_documents(
    view: View,
    config: DeduplicationConfig,
    *,
    eligible: Bools,
    uses: Collection[str],
    resources: Resources | None = None,
    executor: Executor | None = None,
    step: Step = QUIET,
) -> Selected:
    """Choose what stays among the eligible documents, or find that it has been done.

    Threads of this process do it, or tasks of an executor whose workers are on other machines. The step counts
    documents as they are ranked.

    Args:
        view: of the workspace.
        config: the policy and the guard.
        eligible: bool (documents,).
        uses: the names of all that decides ``eligible``, and of the duplicates.
        resources: threads and memory of this process.
        executor: of a cluster.
        step: told of documents.

    Raises:
        InputError: a source would lose more than the guard permits.
        ConfigError: the policy's field is in no document.
    """
    policy = config.model_dump(mode="json", include={"keep", "max_removed_fraction", "allow_removal"})
    stage, resources = view.stage(Selected, config=policy, uses=uses), resources or Resources()
    if stage.done() is None:
        stage.start()
        share, allowed = config.max_removed_fraction, config.allow_removal
        workers = ShardWorkers(resources.threads, None if isinstance(executor, LocalExecutor) else executor, step)
        with disk_errors(stage.folder):
            removals = select_by_parts(
                view,
                config.keep,
                eligible=eligible,
                folder=stage.folder,
                guard=lambda removals: removals.guard(max_removed_fraction=share, allowed=allowed),
                memory_bytes=resources.memory_bytes,
                workers=workers,
            )
        eligible_count, removed = removals.counts.select("eligible", "removed").sum().row(0)
        stage.commit({"kept": eligible_count - removed, "removed": removed})
    return view.open(Selected)


def write_selection(stage: Stage, corpus: Corpus, chosen: Chosen) -> None:
    """Write a selection, one shard after another, and declare it finished."""
    kept = removed = 0
    for shard, (first, end) in enumerate(pairwise(corpus.first_documents)):
        part = chosen.between(first, end)
        write_parquet(shard_file(stage.folder, shard), selection_table(part))
        kept, removed = kept + int(part.kept.sum()), removed + int(part.removed.sum())
    stage.commit({"kept": kept, "removed": removed})
