"""What a pipeline makes."""

from __future__ import annotations

from typing import Literal, final

from dq.variants.ingredient import Ingredient
from dq.variants.kind import Kind


@final
class Curated(Kind):
    """What the rules and the deduplication keep."""

    kind: Literal["curated"] = "curated"

    def composition(self) -> tuple[Ingredient, ...]:
        """The kept documents."""
        return (Ingredient("kept"),)
