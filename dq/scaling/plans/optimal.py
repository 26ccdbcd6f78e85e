"""How to split compute between parameters and tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.scaling.plans.quantity import OF_LOSS, Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray

RULE = 20.0
"""Tokens a parameter that Hoffmann 2022 is remembered for."""


@dataclass(frozen=True, kw_only=True)
class ComputePlan(Reply):
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
    """

    law: str
    flops: float
    n_params: Quantity
    n_tokens: Quantity
    tokens_per_parameter: Quantity
    loss: Quantity
    rule_params: float
    rule_cost: Quantity

    @property
    def question(self) -> str:
        """As a user would ask it."""
        return split_question(self.flops)

    @property
    def in_words(self) -> str:
        """What to train."""
        if self.n_params.value is None:
            return f"law `{self.law}`: the runs leave the best size open, between any two; train more sizes"
        held = _holds(self.n_params, self.rule_params)
        inside = "" if held is None else ", inside that interval" if held else ", outside that interval"
        return (
            f"law `{self.law}`: {self.n_params.in_words('parameters')} on {self.n_tokens.in_words('tokens')}, "
            f"{self.tokens_per_parameter.in_words('tokens a parameter')}, for a loss of "
            f"{self.loss.in_words(digits=OF_LOSS)}; the rule of {RULE:g} tokens a parameter "
            f"({short(self.rule_params)} parameters{inside}) would cost {self.rule_cost.in_words('nats')} more"
        )


def split_question(flops: float) -> str:
    """How a user would ask for the best split."""
    return f"How are {short(flops)} FLOPs best split between parameters and tokens?"


def _holds(interval: Quantity, value: float) -> bool | None:
    return None if interval.low is None or interval.high is None else interval.low <= value <= interval.high


def compute_optimal(surface: Surface, flops: float) -> ComputePlan:
    """The best split by a law of fresh text: found numerically, whatever the law.

    Raises:
        FitError: the law knows nothing of sizes.
    """
    surface.require_sizes()

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
