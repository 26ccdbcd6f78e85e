"""How many tokens a loss takes, by the size of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.scaling.plans.quantity import OF_LOSS, Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import MOST, Surface, training_flops
from dq.scaling.points import FloatArray


@dataclass(frozen=True, kw_only=True)
class EfficiencyPlan(Reply):
    """Fresh tokens with which a model of one size reaches a loss.

    Attributes:
        law: its name.
        loss: the target, nats.
        n_params: parameters of the model.
        n_tokens: tokens; none where no amount is enough.
        flops: 6 N D.
        least_loss: what the size reaches with more tokens than there are.
        reference: parameters and tokens of the model whose loss is the target; None where a loss was given.
        ratio: tokens in those of the reference; None without one.
        unique_tokens: of a pool that they are to come from; None where there is none.
    """

    law: str
    loss: Quantity
    n_params: float
    n_tokens: Quantity
    flops: Quantity
    least_loss: Quantity
    reference: tuple[float, float] | None
    ratio: Quantity | None
    unique_tokens: float | None

    @property
    def question(self) -> str:
        """As a user would ask it."""
        if self.reference is None:
            return f"How many tokens does a loss of {short(self.loss.value or 0, digits=OF_LOSS)} take?"
        n_params, n_tokens = self.reference
        return f"What makes another size as good as {short(n_params)} parameters on {short(n_tokens)} tokens?"

    @property
    def in_words(self) -> str:
        """What it takes."""
        model = f"law `{self.law}`: {short(self.n_params)} parameters"
        if self.n_tokens.value is None:
            return (
                f"{model} never get to {self.loss.in_words(digits=OF_LOSS)}: no amount of text brings them below "
                f"{self.least_loss.in_words(digits=OF_LOSS)}; take more parameters"
            )
        words = f"{model} need {self.n_tokens.in_words('tokens')}"
        if self.ratio is not None:
            words = f"{words}, {self.ratio.in_words('times')} as many"
        missing = self.n_tokens.value - (self.unique_tokens or np.inf)
        if missing > 0:
            words = f"{words}; the pool has {short(self.unique_tokens or 0)}, which leaves {short(missing)} to be found"
        return words


def tokens_for_loss(
    surface: Surface, loss: float, *, sizes: Sequence[float], unique_tokens: float | None = None
) -> tuple[EfficiencyPlan, ...]:
    """Tokens at which each size reaches a loss, beside those of a pool if there is one."""
    target = np.full((len(surface.theta), 1), loss)
    return tuple(_plan(surface, target, size, reference=None, unique_tokens=unique_tokens) for size in sizes)


def sample_efficiency(
    surface: Surface, *, n_params: float, n_tokens: float, sizes: Sequence[float]
) -> tuple[EfficiencyPlan, ...]:
    """Tokens at which each size reaches the loss of a reference model, and how many of its tokens that is."""
    target = surface.loss({"n_params": n_params, "n_tokens": n_tokens})
    return tuple(_plan(surface, target, size, reference=(n_params, n_tokens)) for size in sizes)


def _plan(
    surface: Surface,
    target: FloatArray,
    n_params: float,
    *,
    reference: tuple[float, float] | None,
    unique_tokens: float | None = None,
) -> EfficiencyPlan:
    tokens = surface.tokens_to_match(target, {"n_params": n_params})[:, 0]
    flops = Quantity.of(training_flops(n_params, tokens))
    return EfficiencyPlan(
        law=surface.fit.law,
        loss=Quantity.of(target[:, 0]),
        n_params=n_params,
        n_tokens=Quantity.of(tokens),
        flops=flops,
        least_loss=Quantity.of(surface.loss({"n_params": n_params, "n_tokens": MOST})[:, 0]),
        reference=reference,
        ratio=None if reference is None else Quantity.of(tokens / reference[1]),
        unique_tokens=unique_tokens,
        beyond=(flops.value or 0.0) / surface.largest_compute,
    )
