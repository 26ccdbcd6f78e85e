"""How many tokens a loss takes, by the size of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.results import Result
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.surface import Surface, training_flops
from dq.scaling.points import FloatArray


@dataclass(frozen=True, kw_only=True)
class EfficiencyPlan(Result):
    """Fresh tokens with which a model of one size reaches a loss.

    Attributes:
        law: its name.
        loss: the target, nats.
        n_params: parameters of the model.
        n_tokens: tokens; none where no amount is enough.
        flops: 6 N D.
        ratio: tokens in those of the reference; none without one.
    """

    law: str
    loss: Quantity
    n_params: float
    n_tokens: Quantity
    flops: Quantity
    ratio: Quantity | None

    @property
    def in_words(self) -> str:
        """What it takes."""
        model = f"{short(self.n_params)} parameters"
        if self.n_tokens.value is None:
            return f"{model} never reach a loss of {self.loss.in_words()}, by law `{self.law}`"
        words = f"{model} reach a loss of {self.loss.in_words()} with {self.n_tokens.in_words('tokens')}"
        return words if self.ratio is None else f"{words}: {self.ratio.in_words()} times those of the reference"


def tokens_for_loss(surface: Surface, loss: float, *, sizes: Sequence[float]) -> tuple[EfficiencyPlan, ...]:
    """Tokens at which each size reaches a loss."""
    return tuple(_plan(surface, np.full((len(surface.theta), 1), loss), size, reference=None) for size in sizes)


def sample_efficiency(
    surface: Surface, *, n_params: float, n_tokens: float, sizes: Sequence[float]
) -> tuple[EfficiencyPlan, ...]:
    """Tokens at which each size reaches the loss of a reference model, and how many of its tokens that is."""
    target = surface.loss({"n_params": n_params, "n_tokens": n_tokens})
    return tuple(_plan(surface, target, size, reference=n_tokens) for size in sizes)


def _plan(surface: Surface, target: FloatArray, n_params: float, *, reference: float | None) -> EfficiencyPlan:
    tokens = surface.tokens_to_match(target, {"n_params": n_params})[:, 0]
    return EfficiencyPlan(
        law=surface.fit.law,
        loss=Quantity.of(target[:, 0]),
        n_params=n_params,
        n_tokens=Quantity.of(tokens),
        flops=Quantity.of(training_flops(n_params, tokens)),
        ratio=None if reference is None else Quantity.of(tokens / reference),
    )
