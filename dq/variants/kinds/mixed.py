"""Mixtures: of sources, in shares of one's own, or of other variants."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal, Self, final

from pydantic import Field, model_validator

from dq.config import FieldFault
from dq.errors import nearest
from dq.variants.ingredient import Ingredient
from dq.variants.kind import Base, Composed, Kind


@final
class Mixed(Composed):
    """Sources in shares of its own, of raw documents or of a base; or other variants, by weight."""

    kind: Literal["mixed"] = "mixed"
    weights: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    """Shares of the tokens, which sum to 1: of sources, or of the names under `of`."""
    of: dict[str, Base] | None = None
    """The variants that are mixed, by any names."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not math.isclose(sum(self.weights.values()), 1, abs_tol=1e-6):
            raise FieldFault(f"sum to {sum(self.weights.values()):g}, not to 1", "weights")
        if self.of is None:
            if any(one.sources or one.proportional or one.without for one in self.of_base(Ingredient("all"))):
                raise FieldFault("has shares of its own; mix it under `of`", "base")
            return self
        if self.base is not None:
            raise FieldFault("`of` names what is mixed; leave `base` out", "base")
        for name in self.weights:
            if name not in self.of:
                raise FieldFault(nearest(name, self.of, what="name of `of`"), "weights", name)
        if unweighted := [name for name in self.of if name not in self.weights]:
            raise FieldFault("has no weight", "of", unweighted[0])
        if short := [name for name, one in self.of.items() if one.when_short != "error"]:
            raise FieldFault("is for the whole variant to say", "of", short[0], "when_short")
        return self

    @property
    def bases(self) -> tuple[Kind, ...]:
        """All that it is mixed of."""
        return super().bases if self.of is None else tuple(self.of.values())

    def composition(self) -> tuple[Ingredient, ...]:
        """What the base or each of its variants is made of."""
        total = math.fsum(self.weights.values())
        shares = {name: weight / total for name, weight in self.weights.items()}
        if self.of is None:
            return tuple(replace(one, sources=shares) for one in self.of_base(Ingredient("all")))
        kinds = [(kind.composition(), shares[name]) for name, kind in self.of.items()]
        return tuple(replace(one, fraction=one.fraction * share) for made_of, share in kinds for one in made_of)
