"""R*, alone: how fast repeated tokens lose their worth, with the fresh curve as it was measured.

Muennighoff 2023 (arXiv 2305.16264): D_eff = U (1 + R* (1 - exp(-(k - 1) / R*))) for U unique tokens seen k times: after
R* repetitions a repeated token has lost 63 % of its worth. Published constants come from fits that hardly determine
them, so the profile is given with it, and one that is flat is called so. What it does not explain is given
too, for the form is rigid: it never falls below the pool seen once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from dq.compare.reference import Reference
from dq.compare.tables import FloatArray
from dq.results import Result

LOWEST, HIGHEST = 0.05, 5_000.0
"""R* that are looked at: with the first all repetition is lost, with the last none."""
PROFILE = 121
CONFIDENCE = 0.95
FLAT = 10.0
"""An interval that reaches an end of what is looked at, or over more than this factor, determines nothing of use."""


@dataclass(frozen=True, kw_only=True)
class RStar(Result):
    """The fitted constant."""

    r_star: float
    low: float | None
    """The 95 % interval of the profile, from here to ``high``; None where it is open."""
    high: float | None
    profile: tuple[tuple[float, float], ...]
    """R* and the sum of squares there, in units of the variance that is not explained: the interval is all below
    ``threshold`` above the least."""
    threshold: float
    n_points: int
    residual: float
    """Root mean square of what it does not explain, in the unit of the losses."""
    weighted: bool
    """Whether points count by the inverse of their variance over seeds; else equally."""

    @property
    def flat(self) -> bool:
        """Whether the runs hardly determine it."""
        return self.low is None or self.high is None or self.high > FLAT * self.low

    @property
    def in_words(self) -> str:
        """Such as ``R* = 4.1 (2.9 to 6.3, 8 points)`` or ``R* is hardly determined by 3 points: above 8.2``."""
        ends = [None if end is None else f"{end:.2g}" for end in (self.low, self.high)]
        if ends[0] and ends[1]:
            around = f"{ends[0]} to {ends[1]}"
        else:
            around = f"above {ends[0]}" if ends[0] else f"below {ends[1]}" if ends[1] else "anything"
        if self.flat:
            return f"R* is hardly determined by {self.n_points} points: {around}"
        return f"R* = {self.r_star:.3g} ({around}, {self.n_points} points)"

    def record(self) -> dict[str, object]:
        """Every field, whether it is flat, and the words."""
        return {**super().record(), "flat": self.flat, "in_words": self.in_words}


def effective_tokens(n_unique: FloatArray, epochs: FloatArray, r_star: float) -> FloatArray:
    """D_eff of U unique tokens seen k times."""
    found: FloatArray = n_unique * (1 - r_star * np.expm1(-(epochs - 1) / r_star))
    return found


def fit_r_star(
    curve: Reference, *, n_unique: FloatArray, epochs: FloatArray, losses: FloatArray, errors: FloatArray | None = None
) -> RStar:
    """The R* with which the curve, at the effective tokens, is nearest to the losses; with the profile over it.

    The interval is all R* of which the sum of squares is within F(1, n - 1) variances of the least. A variance is what
    is not explained, at least that of the seeds where ``errors`` know it.

    Args:
        curve: losses of fresh text; it must hold every pool and budget.
        n_unique: U, (n,).
        epochs: k, (n,).
        losses: mean over seeds, (n,).
        errors: their standard errors over seeds, (n,); points count equally without.
    """
    scale = np.ones_like(losses) if errors is None else errors

    def squares(log_r: float) -> float:
        at = effective_tokens(n_unique, epochs, float(np.exp(log_r)))
        return float((((curve.loss_at(at) - losses) / scale) ** 2).sum())

    grid = np.linspace(np.log(LOWEST), np.log(HIGHEST), PROFILE)
    along = np.array([squares(one) for one in grid])
    start = int(np.clip(along.argmin(), 1, PROFILE - 2))
    best = optimize.minimize_scalar(squares, bounds=(grid[start - 1], grid[start + 1]), method="bounded")
    log_best, least = float(best.x), float(best.fun)
    if along.min() < least:  # at an end of what is looked at
        log_best, least = float(grid[along.argmin()]), float(along.min())
    df = len(losses) - 1
    variance = max(least / df, 1.0 if errors is not None else 0.0)
    threshold = float(special.fdtri(1, df, CONFIDENCE))

    def excess(log_r: float) -> float:
        return squares(log_r) - least - variance * threshold

    ends = [_crossing(excess, [log_best, *side]) for side in (grid[grid < log_best][::-1], grid[grid > log_best])]
    unit = variance or 1.0
    misses = curve.loss_at(effective_tokens(n_unique, epochs, float(np.exp(log_best)))) - losses
    return RStar(
        r_star=float(np.exp(log_best)),
        low=ends[0],
        high=ends[1],
        profile=tuple((float(np.exp(one)), float(s) / unit) for one, s in zip(grid, along, strict=True)),
        threshold=threshold,
        n_points=len(losses),
        residual=float(np.sqrt((misses**2).mean())),
        weighted=errors is not None,
    )


def _crossing(excess: Callable[[float], float], steps: Sequence[float]) -> float | None:
    """R* where the excess first rises above 0 on the way; None where it does not."""
    for inside, at in itertools.pairwise(steps):
        if excess(at) > 0:
            return float(np.exp(optimize.brentq(excess, inside, at)))
    return None
