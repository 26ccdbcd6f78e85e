"""How often to repeat a pool that is too small for the compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.errors import FitError
from dq.results import Result
from dq.scaling.plans.optimal import beyond_in_words
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.surface import Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray


@dataclass(frozen=True, kw_only=True)
class EpochPlan(Result):
    """The size and epochs at which a unique pool and compute give the least loss.

    Attributes:
        law: its name.
        flops: training compute, 6 N D.
        unique_tokens: of the pool.
        n_params: parameters.
        n_tokens: tokens seen.
        epochs: how often the pool is seen; at most 1 where it is larger than what is seen.
        loss: nats.
        cost: nats by which it is worse than if all text were fresh.
        beyond: times the largest run that was fitted.
    """

    law: str
    flops: float
    unique_tokens: float
    n_params: Quantity
    n_tokens: Quantity
    epochs: Quantity
    loss: Quantity
    cost: Quantity
    beyond: float

    @property
    def in_words(self) -> str:
        """How often to repeat."""
        words = (
            f"with {short(self.unique_tokens)} unique tokens and {short(self.flops)} FLOPs: "
            f"{self.epochs.in_words('epochs')} of {self.n_params.in_words('parameters')}, loss {self.loss.in_words()}; "
            f"fresh text would be {self.cost.in_words('nats')} better"
        )
        return f"{words}{beyond_in_words(self.beyond)}"


def best_epochs(surface: Surface, flops: float, *, unique_tokens: float) -> EpochPlan:
    """The best split where no more than the pool is unique.

    Raises:
        FitError: the law knows nothing of repetition.
    """
    require_repetition(surface)

    def loss(n_params: FloatArray, pool: float) -> FloatArray:
        n_tokens = flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)
        return surface.loss({"n_params": n_params, "n_tokens": n_tokens, "n_unique": np.minimum(n_tokens, pool)})

    n_params, least = least_over_sizes(lambda sizes: loss(sizes, unique_tokens))
    _, fresh = least_over_sizes(lambda sizes: loss(sizes, np.inf))
    n_tokens = flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)
    return EpochPlan(
        law=surface.fit.law,
        flops=flops,
        unique_tokens=unique_tokens,
        n_params=Quantity.of(n_params),
        n_tokens=Quantity.of(n_tokens),
        epochs=Quantity.of(n_tokens / unique_tokens),
        loss=Quantity.of(least),
        cost=Quantity.of(least - fresh),
        beyond=flops / surface.largest_compute,
    )


def require_repetition(surface: Surface) -> None:
    """Raise FitError where a law knows nothing of repetition."""
    if not (surface.reads("n_unique") or surface.reads("epochs")):
        raise FitError(
            f"law `{surface.fit.law}` knows nothing of repetition; fit one that reads unique tokens (`describe_laws`)",
            field="law",
        )
