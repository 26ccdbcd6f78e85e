"""How often each document is seen: by a signal of it, by its rank among the others, or by the size of its cluster.

Good text more often than the rest is what mixtures in practice do (FineWeb2 sees documents by the size of their
cluster of duplicates, up to a cap; DCLM-like recipes by the quantile of a classifier). A count is a whole number: what
is between two is drawn, by content alone, so that it is right on average and the same in every seed.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from dq.arrays import F64, I64
from dq.config import FieldFault, StrictModel
from dq.text import mix64, uniform
from dq.variants.documents import CLUSTER_SIZE, Universe

COUNT = 0x636F756E74  # names this use of the documents' keys


class Counts(StrictModel):
    """How often each document is seen."""

    by: str
    """A signal of the job, or `cluster_size`: how many documents the kept one stands for."""
    quantiles: tuple[tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(ge=0)]], ...] | None = None
    """Pairs of an upper quantile, within each source, and a count: `[[0.5, 1], [0.9, 2], [1, 4]]` shows the best tenth
    four times. Without them the value itself is the count."""
    times: float = Field(default=1.0, gt=0)
    """What values are multiplied with before they are counts."""
    most: int = Field(default=8, ge=1, le=1000)
    """A cap: no document is seen more often."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = [bound for bound, _ in self.quantiles or ()]
        if self.quantiles is not None and (bounds != sorted(set(bounds)) or not bounds or bounds[-1] != 1):
            raise FieldFault("quantiles rise, and the last one is 1", "quantiles")
        return self

    def of(self, universe: Universe, documents: I64) -> I64:
        """The counts of some documents of one source: int64 (m,); those whose signal has no value are not seen."""
        values = np.nan_to_num(universe.values(self.by)[documents].astype(np.float64), nan=0.0)
        wanted = np.clip(self._by_rank(values) if self.quantiles else values * self.times, 0, self.most)
        drawn = uniform(mix64(universe.content_keys[documents], universe.occurrences[documents], COUNT))
        counts: I64 = np.floor(wanted + drawn).astype(np.int64)
        return np.minimum(counts, self.most)

    @property
    def is_cluster_size(self) -> bool:
        """Whether it needs no signal."""
        return self.by == CLUSTER_SIZE

    def _by_rank(self, values: F64) -> F64:
        """The counts of the table, by the share of documents whose value is at most one's own."""
        assert self.quantiles is not None
        bounds, counts = (np.array(column, float) for column in zip(*self.quantiles, strict=True))
        ranks = np.searchsorted(np.sort(values), values, side="right") / max(1, len(values))
        return np.asarray(counts[np.searchsorted(bounds, ranks, side="left")] * self.times)
