"""Which documents are kept, and for each removed one the kept one that it duplicates."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

    numbers: I64
    """int64, ascending: the documents that may have one, and those of an index after them."""
    of_rows: Selection
    """Of the former; documents are numbered by their places in ``numbers``."""
    eligible: Bools
    """bool (documents,): what has no duplicate is kept where it is eligible."""

    @property
    def rows(self) -> I64:
        """int64, ascending: the documents that may have one."""
        return self.numbers[: len(self.of_rows.kept_index)]

    def between(self, first: int, end: int) -> Selection:
        """The selection of the documents from ``first`` to before ``end``."""
        part = slice(*np.searchsorted(self.rows, (first, end)))
        found = completed(self._table[part], self.eligible[first:end], first=first)
        return replace(found, verified_at_selection=self.of_rows.verified_at_selection)

    @cached_property
    def _table(self) -> pl.DataFrame:
        return numbered(self.of_rows, self.numbers)


def numbered(selection: Selection, numbers: I64) -> pl.DataFrame:
    """A selection whose documents are places in ``numbers``, with these in their place: a row a document, in order."""
    kept = np.where(selection.kept_index < 0, NOT_ELIGIBLE, numbers[selection.kept_index])
    values = {name: getattr(selection, name) for name in _COLUMNS}
    return pl.DataFrame({"document": numbers[: len(kept)], **values, "kept_index": kept})


def completed(found: pl.DataFrame, eligible: Bools, *, first: int) -> Selection:
    """The selection of the documents from ``first`` on.

    Args:
        found: of those among them that may have a duplicate, as `numbered` gives it.
        eligible: bool (documents,); all others are kept where they are eligible.
        first: number of the first document.
    """
    places, numbers = found["document"].to_numpy() - first, np.arange(first, first + len(eligible))
    others: dict[str, Array] = {
        "kept_index": np.where(eligible, numbers, NOT_ELIGIBLE),
        "intersection": np.zeros_like(numbers),
        "union": np.zeros_like(numbers),
        "similarity": np.where(eligible, 1.0, np.nan),
        "exact": np.zeros(len(numbers), np.bool_),
        "cluster_size": eligible.astype(np.int64),
    }
    for name, values in others.items():
        values[places] = found[name].to_numpy()
    return Selection(**others, verified_at_selection=0, first=first)


_COLUMNS = ("kept_index", "intersection", "union", "similarity", "exact", "cluster_size")
