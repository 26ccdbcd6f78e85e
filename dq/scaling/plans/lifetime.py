"""What a loss costs over a model's life: trained once, used for so many tokens (Sardana 2024, arXiv 2401.00448)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.scaling.plans.quantity import OF_LOSS, Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import MOST, MOST_PARAMS, Surface, least_over_sizes, training_flops
from dq.scaling.points import FloatArray

INFERENCE = 2.0
"""FLOPs of a parameter and a token that is read or written."""


@dataclass(frozen=True, kw_only=True)
class LifetimePlan(Reply):
    """The model that reaches a loss at the least FLOPs of training and use together.

    Attributes:
        law: its name.
        loss: the target, nats.
        inference_tokens: tokens read and written in its life.
        n_params: parameters.
        n_tokens: training tokens.
        flops: of training and use, 6 N D + 2 N T.
        training_only_params: parameters of the model that is cheapest to train to that loss.
        saving: share of the FLOPs that the other model would take in its life.
        least_loss: with more parameters and tokens than there are.
    """

    law: str
    loss: float
    inference_tokens: float
    n_params: Quantity
    n_tokens: Quantity
    flops: Quantity
    training_only_params: Quantity
    saving: Quantity
    least_loss: Quantity

    @property
    def question(self) -> str:
        """As a user would ask it."""
        goal = f"a loss of {short(self.loss, digits=OF_LOSS)}"
        return f"Which model gives {goal} cheapest over a life of {short(self.inference_tokens)} tokens of use?"

    @property
    def in_words(self) -> str:
        """What to train for use."""
        if self.n_params.value is None:
            return (
                f"law `{self.law}`: none; no size and no amount of text gets below "
                f"{self.least_loss.in_words(digits=OF_LOSS)}"
            )
        return (
            f"law `{self.law}`: {self.n_params.in_words('parameters')} trained on {self.n_tokens.in_words('tokens')}; "
            f"the model that is cheapest to train has {self.training_only_params.in_words('parameters')}, and over "
            f"its life the smaller one saves {self.saving.in_words('%')} of the FLOPs"
        )


def cheapest_lifetime(surface: Surface, loss: float, *, inference_tokens: float) -> LifetimePlan:
    """The least of 6 N D + 2 N T over sizes, each trained just to the loss."""
    known: dict[bytes, FloatArray] = {}

    def tokens(n_params: FloatArray) -> FloatArray:
        """Sought once for sizes that both searches begin with."""
        key = n_params.tobytes()
        if key not in known:
            known[key] = surface.tokens_to_match(np.array(loss), {"n_params": n_params})
        return known[key]

    def training(n_params: FloatArray) -> FloatArray:
        return training_flops(n_params, tokens(n_params))

    def lifetime(n_params: FloatArray) -> FloatArray:
        return training(n_params) + INFERENCE * n_params * inference_tokens

    n_params, flops = least_over_sizes(lifetime)
    cheapest, trained = least_over_sizes(training)
    other = trained + INFERENCE * cheapest * inference_tokens
    n_tokens = tokens(n_params[:, None])[:, 0]
    trains = Quantity.of(training_flops(n_params, n_tokens))
    return LifetimePlan(
        law=surface.fit.law,
        loss=loss,
        inference_tokens=inference_tokens,
        n_params=Quantity.of(n_params),
        n_tokens=Quantity.of(n_tokens),
        flops=Quantity.of(flops),
        training_only_params=Quantity.of(cheapest),
        saving=Quantity.of(1 - flops / other),
        least_loss=Quantity.of(surface.loss({"n_params": MOST_PARAMS, "n_tokens": MOST})[:, 0]),
        beyond=(trains.value or 0.0) / surface.largest_compute,
    )
