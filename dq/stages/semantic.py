"""Select by meaning: of the documents whose vectors are near each other one stays, by a policy and under the guard."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dq.arrays import I64
from dq.config import StrictModel
from dq.dedup import Chosen, guard_removal, select_by_cosine, visible_characters
from dq.dedup.policy import LONGEST
from dq.executors import QUIET, Step
from dq.stages.base import ORIGINAL, View
from dq.stages.duplicates import disk_errors
from dq.stages.ranked import ranked_documents
from dq.stages.read import Documents
from dq.stages.selection import KnownPolicy, Selected, write_selection
from dq.stages.vectors import FoundVectors


class SemanticConfig(StrictModel):
    """Semantic deduplication: where vectors come from, how near is too near, which document stays, how much may go."""

    vectors: str | None = None
    """The field of the rows that holds a document's vector, a list of numbers; nested ones with dots."""
    static_model: str | None = None
    """The folder of a static embedding model that makes the vectors."""
    threshold: float = Field(default=0.99, gt=0, le=1)
    """Smallest cosine of two documents' vectors that makes them duplicates."""
    keep: KnownPolicy = LONGEST
    """Which of several stays: `longest`, `best:SIGNAL`, `earliest:FIELD`, `prefer:SOURCE,SOURCE`. Ties: content key,
    source, id."""
    max_removed_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of a source's documents past which their removal stops the job."""
    allow_removal: tuple[str, ...] = ()
    """Sources that may lose any share."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.vectors is None) == (self.static_model is None):
            raise ValueError("vectors come from one of `vectors` (a field) and `static_model` (a folder)")
        return self

    @property
    def near(self) -> str:
        """What makes two documents duplicates, in words."""
        return f"cosine of {self.threshold:g} or more between their vectors"


def select_by_meaning(view: View, config: SemanticConfig, *, step: Step = QUIET) -> Selected:
    """Choose what stays, or find that it has been done. The step counts documents.

    Raises:
        InputError: a source would lose more than the guard permits.
        ConfigError: the policy's field is in no document.
    """
    settings = config.model_dump(mode="json", include={"threshold", "keep", "max_removed_fraction", "allow_removal"})
    uses = ("vectors", "signals") if config.keep.signal else ("vectors",)
    stage = view.stage(Selected, config=settings, uses=uses)
    if stage.done() is None:
        stage.start()
        vectors, corpus = view.open(FoundVectors).array, view.open(Documents)
        everything = np.ones(corpus.count, np.bool_)
        with disk_errors(stage.folder):
            chosen = select_by_cosine(
                vectors,
                everything,
                order=_ranks(view, config),
                threshold=config.threshold,
                folder=stage.folder,
                step=step,
            )
        documents = corpus.documents
        guard_removal(chosen, documents, max_removed_fraction=config.max_removed_fraction, allowed=config.allow_removal)
        keys = documents["content_key"].to_numpy()
        chosen = replace(chosen, exact=chosen.removed & (keys == keys[chosen.kept_index]))
        write_selection(stage, corpus, Chosen(np.arange(corpus.count), chosen, everything))
    return view.open(Selected)


def _ranks(view: View, config: SemanticConfig) -> I64:
    documents = ranked_documents(view, config.keep, of=ORIGINAL)
    if config.keep == LONGEST:
        corpus = view.open(Documents)
        counts = [visible_characters(corpus.texts(shard)) for shard in range(len(corpus.shards))]
        documents = documents.with_columns(visible_characters=pl.Series(np.concatenate(counts)))
    return config.keep.ranks(documents)
