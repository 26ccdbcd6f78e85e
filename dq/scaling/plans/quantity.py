"""A number of a plan, with the interval that refits leave it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dq.results import Result
from dq.scaling.points import FloatArray

LEVEL = 0.95
MOSTLY = 0.975
"""Share of the refits that must have a number at all for it to have an interval."""
OF_LOSS = 4
"""Digits of a loss; three are enough of all else."""


@dataclass(frozen=True, kw_only=True)
class Quantity(Result):
    """A number that the fit says, and between which refits to resampled runs put it.

    Attributes:
        value: by the fit itself; None where it has none (a loss below the floor, an optimum beyond all sizes).
        low: percentile of the refits; None where too many of them have none.
        high: as ``low``.
        reached: share of the refits that have a number.
    """

    value: float | None
    low: float | None
    high: float | None
    reached: float

    @classmethod
    def of(cls, values: FloatArray, *, level: float = LEVEL) -> Quantity:
        """From the fit (first) and its refits: (K,), NaN where there is none."""
        found = values[1:][np.isfinite(values[1:])]
        reached = len(found) / max(1, len(values) - 1)
        low = high = None
        if reached >= MOSTLY:
            low, high = (float(one) for one in np.quantile(found, [0.5 - level / 2, 0.5 + level / 2]))
        value = float(values[0]) if math.isfinite(values[0]) else None
        return cls(value=value, low=low, high=high, reached=reached)

    def in_words(self, unit: str = "", *, digits: int = 3) -> str:
        """Such as ``70.2B parameters [40.1B, 102B]``; a share in the unit ``%`` is written as such."""

        def written(one: float) -> str:
            if unit == "nats":
                return f"{one:.4f}"
            return short(100 * one if unit == "%" else one, digits=digits)

        value, low, high = (None if one is None else written(one) for one in (self.value, self.low, self.high))
        named = f" {unit}" if unit else ""
        if value is None:
            return f"no number of{named}" if unit else "no number"
        if low == high == value:  # stated, or known to every digit
            return f"{value}{named}"
        if low is None or high is None:
            return f"{value}{named} [no interval: {self.reached:.0%} of the refits have a value]"
        return f"{value}{named} [{low}, {high}]"


def short(value: float, *, digits: int = 3) -> str:
    """Few digits and a letter: 70.2B, 1.41T, 3.25, 1.3e21."""
    for limit, letter in ((1e15, ""), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / limit if letter else value
            return f"{float(f'{scaled:.{digits}g}'):g}{letter}".replace("e+", "e")
    return f"{float(f'{value:.{digits}g}'):g}".replace("e-0", "e-")
