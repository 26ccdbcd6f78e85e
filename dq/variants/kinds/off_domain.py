"""Text of another kind than what a model is for: how much of it may be added before it is not worth it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self, final

from pydantic import Field, model_validator

from dq.config import FieldFault
from dq.variants.ingredient import Ingredient
from dq.variants.kind import Composed


@final
class OffDomain(Composed):
    """Raw documents, a share of the tokens coming from sources of another domain."""

    kind: Literal["off_domain"] = "off_domain"
    sources: tuple[str, ...] = Field(min_length=1)
    """The sources of the other domain, each by its tokens; the others have their shares among themselves."""
    dose: float = Field(ge=0, le=1)
    """Share of the tokens that comes from them."""

    @model_validator(mode="after")
    def _shares_are_free(self) -> Self:
        if any(one.sources or one.proportional or one.without for one in self.of_base(Ingredient("all"))):
            raise FieldFault("has shares of its own", "base")
        return self

    def composition(self) -> tuple[Ingredient, ...]:
        """The base without these sources, and with nothing else, by the dose."""
        base = self.of_base(Ingredient("all"))
        inside = (replace(one, fraction=one.fraction * (1 - self.dose), without=self.sources) for one in base)
        outside = (
            replace(one, fraction=one.fraction * self.dose, proportional=self.sources, dosed=self.kind) for one in base
        )
        return tuple(one for one in (*inside, *outside) if one.fraction)
