"""What another doubling of compute buys, under several laws.

The floor depends on the form of the law, so nothing here is a distance to it: only the loss that a doubling removes,
which forms agree on where there are runs and part ways beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dq.errors import ConfigError
from dq.results import Result
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN

UNDER_SCALED, SATURATED = 0.05, 0.02
"""Rules of thumb: a doubling that removes over 5 % of the loss, and one that removes 1 to 2 %."""


@dataclass(frozen=True, kw_only=True)
class Doubling(Result):
    """What one law says of twice the compute, both times split best."""

    law: str
    loss: Quantity
    nats: Quantity
    """By which the loss falls."""
    share: Quantity
    """Of the loss, which a rule of thumb is about."""


@dataclass(frozen=True, kw_only=True)
class Saturation(Reply):
    """What a doubling buys under each law."""

    flops: float
    by_law: tuple[Doubling, ...]

    @property
    def answer(self) -> str:
        """By the rules of thumb, where all laws and their intervals agree."""
        ends = [(one.share.low, one.share.high) for one in self.by_law]
        lows, highs = [low for low, _ in ends if low is not None], [high for _, high in ends if high is not None]
        if len(lows) < len(ends):
            return "undecided"
        if min(lows) > UNDER_SCALED:
            return "under-scaled"
        if max(highs) < SATURATED:
            return "saturated"
        return "between" if min(lows) >= SATURATED and max(highs) <= UNDER_SCALED else "undecided"

    @property
    def question(self) -> str:
        """As a user would ask it."""
        return f"What would twice {short(self.flops)} FLOPs buy?"

    @property
    def in_words(self) -> str:
        """The loss that a doubling removes, and the rule of thumb."""
        each = "; ".join(
            f"law `{one.law}`: {one.nats.in_words('nats')}, {one.share.in_words('%')} of the loss"
            for one in self.by_law
        )
        rules = f"over {100 * UNDER_SCALED:g} % a doubling is under-scaled, below 1 to {100 * SATURATED:g} % saturated"
        return f"{each}; by the rules of thumb ({rules}) {self.answer}"


def saturation(surfaces: Sequence[Surface], flops: float) -> Saturation:
    """The loss that a doubling of compute removes, under at least two laws.

    Raises:
        ConfigError: there are fewer than two.
    """
    if len({one.fit.law for one in surfaces}) < 2:
        raise ConfigError("what a doubling buys depends on the form of the law: fit at least two", field="law")
    return Saturation(
        flops=flops,
        by_law=tuple(doubling(one, flops) for one in surfaces),
        beyond=2 * flops / max(one.largest_compute for one in surfaces),
    )


def doubling(surface: Surface, flops: float) -> Doubling:
    """What twice the compute buys by one law."""
    now, then = (
        least_over_sizes(
            lambda sizes, budget=budget: surface.loss(  # type: ignore[misc]
                {"n_params": sizes, "n_tokens": budget / (FLOPS_PER_PARAMETER_AND_TOKEN * sizes)}
            )
        )[1]
        for budget in (flops, 2 * flops)
    )
    return Doubling(
        law=surface.fit.law,
        loss=Quantity.of(now),
        nats=Quantity.of(now - then),
        share=Quantity.of((now - then) / now),
    )
