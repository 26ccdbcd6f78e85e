"""What a loss costs over a model's life: trained once, used for so many tokens (Sardana 2024, arXiv 2401.00448)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.results import Result
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.surface import Surface, least_over_sizes, training_flops
from dq.scaling.points import FloatArray

INFERENCE = 2.0
"""FLOPs of a parameter and a token that is read or written."""


@dataclass(frozen=True, kw_only=True)
class LifetimePlan(Result):
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
    """

    law: str
    loss: float
    inference_tokens: float
    n_params: Quantity
    n_tokens: Quantity
    flops: Quantity
    training_only_params: Quantity
    saving: Quantity

    @property
    def in_words(self) -> str:
        """What to train for use."""
        goal = f"a loss of {self.loss:g} and {short(self.inference_tokens)} tokens of use"
        if self.n_params.value is None:
            return f"{goal}: out of reach of any size, by law `{self.law}`"
        return (
            f"{goal} are cheapest with {self.n_params.in_words('parameters')} and {self.n_tokens.in_words('tokens')} "
            f"of training; the model cheapest to train has {self.training_only_params.in_words('parameters')}, and "
            f"this one saves a share of {self.saving.in_words()} of its FLOPs"
        )


def cheapest_lifetime(surface: Surface, loss: float, *, inference_tokens: float) -> LifetimePlan:
    """The least of 6 N D + 2 N T over sizes, each trained just to the loss."""

    def tokens(n_params: FloatArray) -> FloatArray:
        return surface.tokens_to_match(np.array(loss), {"n_params": n_params})

    def training(n_params: FloatArray) -> FloatArray:
        return training_flops(n_params, tokens(n_params))

    def lifetime(n_params: FloatArray) -> FloatArray:
        return training(n_params) + INFERENCE * n_params * inference_tokens

    n_params, flops = least_over_sizes(lifetime)
    cheapest, trained = least_over_sizes(training)
    other = trained + INFERENCE * cheapest * inference_tokens
    return LifetimePlan(
        law=surface.fit.law,
        loss=loss,
        inference_tokens=inference_tokens,
        n_params=Quantity.of(n_params),
        n_tokens=Quantity.of(tokens(n_params[:, None])[:, 0]),
        flops=Quantity.of(flops),
        training_only_params=Quantity.of(cheapest),
        saving=Quantity.of(1 - flops / other),
    )
