"""What a study says about a variant: which documents, how often, with what noise."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from dq.config import StrictModel

__all__ = ["AnyVariant", "Curated", "Noisy", "Raw", "Repeated", "TokenNoise", "VariantSpec"]


class _Variant(StrictModel):
    when_short: Literal["error", "repeat"] = "error"
    """What happens where the pool is smaller than the budget: stop, or repeat all of it as often as needed."""


class Raw(_Variant):
    """Everything that is not held out or excluded: no rule, no deduplication."""

    kind: Literal["raw"]


class Curated(_Variant):
    """What the rules and the deduplication keep."""

    kind: Literal["curated"]


class Repeated(_Variant):
    """A part of the curated documents, `epochs` times, reshuffled every time."""

    kind: Literal["repeated"]
    epochs: int = Field(ge=2, le=1000)
    """How often each document is seen; the pool has budget / epochs tokens."""


class Noisy(_Variant):
    """Curated documents, a share of the tokens replaced by documents that the rules dropped."""

    kind: Literal["noisy"]
    dose: float = Field(gt=0, le=1)
    """Share of the tokens that comes from dropped documents. They are never repeated."""
    when_short: Literal["error"] = "error"
    """Dropped documents are never repeated: a dose that they cannot fill is an error."""


class TokenNoise(_Variant):
    """Raw documents with a share of each one's tokens replaced by random ones: a control with a known sign."""

    kind: Literal["token_noise"]
    dose: float = Field(gt=0, le=1)
    """Share of the tokens of each document that is replaced, exact to one token a document."""


AnyVariant: TypeAlias = Raw | Curated | Repeated | Noisy | TokenNoise
VariantSpec = Annotated[AnyVariant, Field(discriminator="kind")]
"""Any variant, told apart by its `kind`."""
