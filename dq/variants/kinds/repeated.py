"""Less text, seen more often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, final

from pydantic import Field

from dq.variants.documents import Universe
from dq.variants.kind import Ingredient, Kind


@final
class Repeated(Kind):
    """A part of the curated documents, `epochs` times, reshuffled every time."""

    kind: Literal["repeated"] = "repeated"
    epochs: int = Field(ge=2, le=1000)
    """How often all of it is seen; the pool has budget / epochs tokens."""

    def composition(self) -> tuple[Ingredient, ...]:
        """The kept documents, `epochs` times."""
        return (Ingredient("kept", epochs=float(self.epochs)),)

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """More epochs need a smaller pool."""
        others = super().remedies(universe, shares=shares, budget_tokens=budget_tokens, fill=fill)
        return [f"raise `epochs` to at least {math.ceil(self.epochs / fill - 1e-9)}", *others]
