"""Less text, seen more often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, Self, final

from pydantic import Field, field_serializer, model_validator

from dq.config import FieldFault
from dq.variants.counts import Counts
from dq.variants.documents import Universe
from dq.variants.ingredient import Ingredient
from dq.variants.kind import Composed, lower

ONE_OF = "`epochs`, `pool_tokens` and `counts`"


@final
class Repeated(Composed):
    """A part of the curated documents, seen several times, reshuffled every time."""

    kind: Literal["repeated"] = "repeated"
    epochs: float | None = Field(default=None, ge=1, le=1000)
    """How often all of it is seen, in any part of a time too; the pool has budget / epochs tokens."""
    pool_tokens: int | None = Field(default=None, ge=1)
    """In place of `epochs`: unique tokens, whatever the budget, so that one trunk serves all numbers of epochs."""
    counts: Counts | None = None
    """In place of both: how often each document is seen, by a signal of it or by the size of its cluster."""

    @field_serializer("epochs")
    def _whole(self, epochs: float | None) -> int | float | None:
        """4 as 4: so it is in the names of finished runs."""
        return int(epochs) if epochs is not None and epochs == int(epochs) else epochs

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(one is not None for one in (self.epochs, self.pool_tokens, self.counts)) != 1:
            raise FieldFault(f"give exactly one of {ONE_OF}")
        if any(one.grows or one.pool_tokens for one in self._once()):
            raise FieldFault("is repeated itself; say here how often", "base")
        if self.counts is not None and self.when_short == "repeat":
            raise FieldFault("`counts` say how often; raise `times` instead", "when_short")
        return self

    def composition(self) -> tuple[Ingredient, ...]:
        """The base's documents, several times."""
        pool, counts = self.pool_tokens, self.counts
        return tuple(
            replace(one, epochs=self.epochs or 1.0, pool_tokens=pool and pool * one.fraction, counts=counts)
            for one in self._once()
        )

    def _once(self) -> tuple[Ingredient, ...]:
        return self.of_base(Ingredient("kept"))

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """More epochs need a smaller pool."""
        smaller, repeat = super().remedies(universe, shares=shares, budget_tokens=budget_tokens, fill=fill)
        if self.pool_tokens is not None:
            return [lower("pool_tokens", fill * min(self.pool_tokens, budget_tokens)), repeat]
        if self.epochs is None:
            return [smaller, "raise `counts: times` or `most`"]
        return [smaller, f"raise `epochs` to at least {math.ceil(self.epochs / fill - 1e-9)}", repeat]
