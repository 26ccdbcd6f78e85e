"""Copies: a share of the stream shows again what the rest of it shows once; what a noise does to them is its kind's."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from dq.config import FieldFault
from dq.variants.ingredient import Ingredient, Layer
from dq.variants.kind import Composed


class Copies(Composed, ABC):
    """A share of the tokens is of copies, over any base; without one, over raw documents."""

    dose: float = Field(ge=0, le=1)
    """Share of the tokens that copies give."""
    copies: int = Field(default=1, ge=1, le=1000)
    """How often a piece that is copied is there beside its original: the fewer pieces, the more often each."""

    @property
    def copy_layers(self) -> tuple[Layer, ...]:
        """What is done to copies."""
        return ()

    @model_validator(mode="after")
    def _has_originals(self) -> Self:
        if self.dose > (most := self.copies / (self.copies + 1)):
            raise FieldFault(
                f"at most {most:.4g}, so that every copy has its original: lower it, or raise `copies`", "dose"
            )
        if any(one.grows or one.pool_tokens for one in self.of_base(Ingredient("all"))):
            raise FieldFault("is repeated itself; copies are of what is seen once", "base")
        return self

    def composition(self) -> tuple[Ingredient, ...]:
        """The base, and its first pieces again."""
        base = self.of_base(Ingredient("all"))
        if not self.dose:
            return base
        once = (replace(one, fraction=one.fraction * (1 - self.dose)) for one in base)
        again = (
            replace(
                one,
                fraction=one.fraction * self.dose,
                epochs=float(self.copies),
                layers=(*one.layers, *self.copy_layers),
                label="copies",
                dosed=self.kind,
            )
            for one in base
        )
        return (*once, *again)
