"""Less text, seen more often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Self, final

from pydantic import Field, field_serializer, model_validator

from dq.config import FieldFault
from dq.variants.documents import Universe
from dq.variants.kind import Ingredient, Kind, lower


@final
class Repeated(Kind):
    """A part of the curated documents, seen several times, reshuffled every time."""

    kind: Literal["repeated"] = "repeated"
    epochs: float | None = Field(default=None, ge=1, le=1000)
    """How often all of it is seen, in any part of a time too; the pool has budget / epochs tokens."""
    pool_tokens: int | None = Field(default=None, ge=1)
    """In place of `epochs`: unique tokens, whatever the budget, so that one trunk serves all numbers of epochs."""

    @field_serializer("epochs")
    def _whole(self, epochs: float | None) -> int | float | None:
        """4 as 4: so it is in the names of finished runs."""
        return int(epochs) if epochs is not None and epochs == int(epochs) else epochs

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.epochs is None) == (self.pool_tokens is None):
            raise FieldFault("give exactly one of `epochs` and `pool_tokens`")
        return self

    def composition(self) -> tuple[Ingredient, ...]:
        """The kept documents, several times."""
        return (Ingredient("kept", epochs=self.epochs or 1.0, pool_tokens=self.pool_tokens),)

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """More epochs need a smaller pool."""
        if self.pool_tokens is not None:
            return [lower("pool_tokens", fill * min(self.pool_tokens, budget_tokens)), "set `when_short: repeat`"]
        others = super().remedies(universe, shares=shares, budget_tokens=budget_tokens, fill=fill)
        assert self.epochs is not None
        return [others[0], f"raise `epochs` to at least {math.ceil(self.epochs / fill - 1e-9)}", *others[1:]]
