"""A dose of what the rules drop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, final

from pydantic import Field

from dq.variants.documents import Universe
from dq.variants.ingredient import Ingredient
from dq.variants.kind import Composed, lower


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
        if self.base is not None:
            return [smaller]
        kept, dropped = universe.tokens_by_source("kept"), universe.tokens_by_source("dropped")
        needed = {source: budget_tokens * share for source, share in shares.items() if share > 0}
        # Rounded to a dose that is within the limits.
        least = math.ceil(max(0.0, *(1 - kept.get(s, 0) / n for s, n in needed.items())) * 10_000) / 10_000
        most = math.floor(min(1.0, *(dropped.get(s, 0) / n for s, n in needed.items())) * 10_000) / 10_000
        if most <= 0 or least > most:
            return [smaller]
        dose = f"lower `dose` to at most {most:g}" if self.dose > most else f"raise `dose` to at least {least:g}"
        return [smaller, dose]
