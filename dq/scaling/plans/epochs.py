"""How often to repeat a pool that is too small for the compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.errors import FitError
from dq.scaling.plans.quantity import OF_LOSS, Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray


@dataclass(frozen=True, kw_only=True)
class EpochPlan(Reply):
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
        most_epochs: of the runs that were fitted.
    """

    law: str
    flops: float
    unique_tokens: float
    n_params: Quantity
    n_tokens: Quantity
    epochs: Quantity
    loss: Quantity
    cost: Quantity
    most_epochs: float

    @property
    def question(self) -> str:
        """As a user would ask it."""
        return f"How often should {short(self.unique_tokens)} unique tokens be repeated with {short(self.flops)} FLOPs?"

    @property
    def in_words(self) -> str:
        """How often to repeat."""
        if self.epochs.value is None:
            return f"law `{self.law}`: the runs leave the best size open; train more sizes"
        what = (
            f"law `{self.law}`: {self.epochs.in_words('epochs')} of a model of {self.n_params.in_words('parameters')}"
        )
        if self.epochs.value <= 1:
            return f"{what}: the pool is enough, and nothing is repeated"
        return (
            f"{what}, {self.n_tokens.in_words('tokens')} in all, for a loss of {self.loss.in_words(digits=OF_LOSS)}; "
            f"if all text were new, the best split would be {self.cost.in_words('nats')} lower"
        )

    @property
    def caution(self) -> str:
        """Whether it lies beyond the runs."""
        if self.epochs.value is not None and self.epochs.value > self.most_epochs:
            return (
                f"no run saw its text more than {short(self.most_epochs)} times: nothing is known of so many epochs; "
                "repeat less, or run such a one"
            )
        return ""


def best_epochs(surface: Surface, flops: float, *, unique_tokens: float) -> EpochPlan:
    """The best split where no more than the pool is unique.

    Raises:
        FitError: the law knows nothing of repetition or of sizes.
    """
    require_repetition(surface)
    surface.require_sizes()

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
        most_epochs=most_epochs_of(surface),
        beyond=flops / surface.largest_compute,
    )


def most_epochs_of(surface: Surface) -> float:
    """Of the runs that were fitted."""
    runs = surface.fit.table.frame
    return float((runs["n_tokens"] / runs["n_unique"]).max() or 1.0)  # type: ignore[arg-type]


def require_repetition(surface: Surface) -> None:
    """Raise FitError where a law knows nothing of repetition."""
    if not (surface.reads("n_unique") or surface.reads("epochs")):
        raise FitError(
            f"law `{surface.fit.law}` knows nothing of repetition; fit one that reads unique tokens (`describe_laws`)",
            field="law",
        )
