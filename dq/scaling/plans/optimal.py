"""How to split compute between parameters and tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.results import Result
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.surface import Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray

RULE = 20.0
"""Tokens a parameter that Hoffmann 2022 is remembered for."""


@dataclass(frozen=True, kw_only=True)
class ComputePlan(Result):
    """The split of a budget of compute at which the law's loss is least, and what a rule of thumb would cost.

    Attributes:
        law: its name.
        flops: training compute, 6 N D.
        n_params: parameters.
        n_tokens: tokens, all of them fresh.
        tokens_per_parameter: their ratio.
        loss: nats.
        rule_params: parameters with 20 tokens each.
        rule_cost: nats by which that is worse.
        beyond: times the largest run that was fitted.
    """

    law: str
    flops: float
    n_params: Quantity
    n_tokens: Quantity
    tokens_per_parameter: Quantity
    loss: Quantity
    rule_params: float
    rule_cost: Quantity
    beyond: float

    @property
    def in_words(self) -> str:
        """What to train."""
        words = (
            f"{short(self.flops)} FLOPs are best spent on {self.n_params.in_words('parameters')} and "
            f"{self.n_tokens.in_words('tokens')}: {self.tokens_per_parameter.in_words('tokens a parameter')}, loss "
            f"{self.loss.in_words()}; {RULE:g} tokens a parameter ({short(self.rule_params)} parameters) would cost "
            f"{self.rule_cost.in_words('nats')}"
        )
        return f"{words}{beyond_in_words(self.beyond)}"


def compute_optimal(surface: Surface, flops: float) -> ComputePlan:
    """The best split by a law of fresh text: found numerically, whatever the law."""

    def loss(n_params: FloatArray) -> FloatArray:
        return surface.loss({"n_params": n_params, "n_tokens": flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)})

    n_params, least = least_over_sizes(loss)
    n_tokens = flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)
    rule = float(np.sqrt(flops / (FLOPS_PER_PARAMETER_AND_TOKEN * RULE)))
    return ComputePlan(
        law=surface.fit.law,
        flops=flops,
        n_params=Quantity.of(n_params),
        n_tokens=Quantity.of(n_tokens),
        tokens_per_parameter=Quantity.of(n_tokens / n_params),
        loss=Quantity.of(least),
        rule_params=rule,
        rule_cost=Quantity.of(loss(np.array([rule]))[:, 0] - least),
        beyond=flops / surface.largest_compute,
    )


def beyond_in_words(beyond: float) -> str:
    """A warning where a plan lies beyond the runs."""
    return f" (at {short(beyond)} times the compute of the largest run: extrapolated)" if beyond > 1.0 else ""
