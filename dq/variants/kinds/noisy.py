"""A dose of what the rules drop."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, final

from pydantic import Field

from dq.variants.documents import Universe
from dq.variants.ingredient import Ingredient
from dq.variants.kind import Composed, lower
from dq.variants.parts import suffices

STEPS = 10_000
"""Doses that are named are such parts, rounded to what is within the limits."""


@final
class Noisy(Composed):
    """Curated documents, a share of the tokens replaced by documents that the rules dropped."""

    kind: Literal["noisy"] = "noisy"
    dose: float = Field(ge=0, le=1)
    """Share of the tokens that comes from dropped documents. They are never repeated."""
    when_short: Literal["error"] = "error"
    """Dropped documents are never repeated: a dose that they cannot fill is an error."""

    def composition(self) -> tuple[Ingredient, ...]:
        """The base's documents and dropped ones by the dose."""
        base = self.of_base(Ingredient("kept"))
        kept = (replace(one, fraction=one.fraction * (1 - self.dose)) for one in base)
        return (*kept, *([Ingredient("dropped", self.dose, dosed=self.kind)] if self.dose else []))

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """The nearest dose at which the kept and the dropped documents of every source suffice, if there is one."""
        smaller = lower("budget_tokens", fill * budget_tokens)
        dropped = universe.tokens_by_source("dropped")
        most = min(1.0, *(dropped.get(s, 0) / (budget_tokens * share) for s, share in shares.items() if share > 0))
        largest = math.floor(most * STEPS)

        def fits(steps: int) -> bool:
            spec = self.model_copy(update={"dose": steps / STEPS})
            return suffices(universe, spec, budget_tokens=budget_tokens, shares=shares)

        if largest <= 0 or not fits(largest):  # what is below needs more of the base
            return [smaller]
        if self.dose > most:
            return [smaller, f"lower `dose` to at most {largest / STEPS:g}"]
        least = bisect.bisect_left(range(largest), True, key=fits)
        return [smaller, f"raise `dose` to at least {least / STEPS:g}"]
