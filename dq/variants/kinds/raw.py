"""The baseline of most studies."""

from __future__ import annotations

from typing import Literal, final

from dq.variants.ingredient import Ingredient
from dq.variants.kind import Kind


@final
class Raw(Kind):
    """Everything that is not held out or excluded: no rule, no deduplication."""

    kind: Literal["raw"] = "raw"

    def composition(self) -> tuple[Ingredient, ...]:
        """All documents."""
        return (Ingredient("all"),)
