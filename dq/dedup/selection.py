"""Which documents are kept, and for each removed one the kept one that it duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from dq.arrays import F64, I64, Array, Bools

NOT_ELIGIBLE = -1


@dataclass(frozen=True)
class Selection:
    """The kept documents, and for each removed one the kept one it duplicates."""

    kept_index: I64
    """int64 (documents,): the document itself where kept, its most similar kept one where removed, -1 where it was not
    eligible. Numbers from ``documents`` on are frozen documents of an index."""
    intersection: I64
    """int64 (documents,): shared shingles with the kept one; 0 for the kept, and where all shingles are equal."""
    union: I64
    """int64 (documents,): joint shingles with the kept one, as in ``intersection``."""
    similarity: F64
    """float64 (documents,): exact Jaccard similarity with the kept one; 1 for the kept, NaN if not eligible."""
    exact: Bools
    """bool (documents,): removed, and its canonical text is that of the kept one."""
    cluster_size: I64
    """int64 (documents,): for a kept document the documents that point to it, itself included; else 0."""
    verified_at_selection: int
    """Comparisons made in large buckets."""
    first: int = 0
    """The number of the first document, of a selection that is a part of one."""

    @property
    def kept(self) -> Bools:
        """Bool (documents,)."""
        return np.asarray(self.kept_index == np.arange(self.first, self.first + len(self.kept_index)))

    @property
    def removed(self) -> Bools:
        """Bool (documents,): eligible and not kept."""
        return np.asarray((self.kept_index != NOT_ELIGIBLE) & ~self.kept)

    def table(self) -> pl.DataFrame:
        """One row per removed document: document, kept_index, exact, similarity, intersection, union.

        The counts are null where all shingles are equal, as those of exact copies are.
        """
        rows = np.flatnonzero(self.removed)
        frame = pl.DataFrame(
            {
                "document": self.first + rows,
                "kept_index": self.kept_index[rows],
                "exact": self.exact[rows],
                "similarity": self.similarity[rows],
            }
        )
        copies = pl.Series(self.union[rows] == 0)
        counts = {name: pl.Series(getattr(self, name)[rows]) for name in ("intersection", "union")}
        return frame.with_columns(
            pl.when(~copies).then(values).otherwise(None).alias(name) for name, values in counts.items()
        )


@dataclass(frozen=True)
class Chosen:
    """A selection of any number of documents, of which memory holds what may have a duplicate: it is asked by parts."""

    rows: I64
    """int64, ascending: the documents that may have one."""
    of_rows: Selection
    """Theirs; documents are numbered by their places here, those of an index after them."""
    eligible: Bools
    """bool (documents,): what has no duplicate is kept where it is eligible."""

    def between(self, first: int, end: int) -> Selection:
        """The selection of the documents from ``first`` to before ``end``."""
        part = slice(*np.searchsorted(self.rows, (first, end)))
        places, eligible, numbers = self.rows[part] - first, self.eligible[first:end], np.arange(first, end)

        def filled(others: Array, values: Array) -> Array:
            others[places] = values[part]
            return others

        return Selection(
            kept_index=filled(np.where(eligible, numbers, NOT_ELIGIBLE), self._kept_index),
            intersection=filled(np.zeros_like(numbers), self.of_rows.intersection),
            union=filled(np.zeros_like(numbers), self.of_rows.union),
            similarity=filled(np.where(eligible, 1.0, np.nan), self.of_rows.similarity),
            exact=filled(np.zeros(len(numbers), np.bool_), self.of_rows.exact),
            cluster_size=filled(eligible.astype(np.int64), self.of_rows.cluster_size),
            verified_at_selection=self.of_rows.verified_at_selection,
            first=first,
        )

    @cached_property
    def _kept_index(self) -> I64:
        """Of the rows, as numbers of documents."""
        found, few, all_documents = self.of_rows.kept_index, len(self.rows), len(self.eligible)
        own = self.rows[np.minimum(found, few - 1)]
        return np.select([found < 0, found < few], [NOT_ELIGIBLE, own], default=found - few + all_documents)
