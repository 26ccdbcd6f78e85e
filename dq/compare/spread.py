"""How much each arm's seeds spread, and which arms may share one estimate of it.

A difference of few seeds has few degrees of freedom of its own; arms that are equally noisy may share theirs. The
price of the assumption, simulated with four arms, 5 % stated over all variants: an arm twice as noisy as the others
makes it 6 %, a baseline twice as noisy 9-10 %, for it is in every difference. So two guards look at the data:

- a baseline that looks noisier than the variants (F test at 20 %) ends the pooling: at 3, 5 and 8 seeds 5.6, 4.4 and
  4.3 % where all are alike, 7.1, 5.2 and 4.8 % at twice the noise. So 3 seeds err a little more often than stated where
  spreads differ. Each variant then has its own spread, with Bonferroni's correction;
- a variant with over 3 times the others' spread (beyond chance at 1 %) is left out of the pool and called unstable. One
  of just 3 times makes it 7 to 9 % in all.

Spreads are told as the sd over seeds of a paired difference between two arms that noisy, the unit of every interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from dq.compare.tables import FloatArray
from dq.results import Result

BASELINE_GUARD = 0.2
NOT_SHARED = "the study does not pool"
UNSTABLE_RATIO, UNSTABLE_CHANCE = 3.0, 0.01


@dataclass(frozen=True, kw_only=True)
class ArmSpread(Result):
    """How much one arm's seeds spread, the part that all arms share taken out."""

    arm: str
    sd: float
    """Of a paired difference of two arms this noisy, bits per byte."""
    ratio: float | None
    """To the other arms' spread; None where fewer than two others may be compared with."""
    left_out: str | None = None
    """Why it is not in the pool, or None."""
    unstable: bool = False
    """Whether it spreads over three times as much as the others, beyond chance."""


@dataclass(frozen=True, kw_only=True)
class Pool(Result):
    """The spread that variants share."""

    spreads: tuple[ArmSpread, ...]
    """Of every arm, the baseline first."""
    members: tuple[str, ...]
    """Variants that share it; none where it was refused."""
    variance: float
    """Of a seed's paired difference, (bits per byte)^2: of the members, or without any the largest of a pair's own."""
    df: int
    n_seeds: int
    refused: str | None
    """Why nothing is pooled, or None."""


def pool_spread(
    levels: FloatArray, *, arms: Sequence[str], apart: Mapping[str, str], share: bool = True, guarded: bool = True
) -> Pool:
    """The spread of every arm, and the one that the variants share.

    The shared one is twice the arm x seed interaction mean square of the members' levels with the baseline's, with
    (members)(seeds - 1) degrees of freedom; with one variant it is exactly that pair's own.

    Args:
        levels: bits per byte (arms, seeds), at least 2 of each, the baseline first.
        arms: their names.
        apart: variants that never share, with the reason.
        share: whether the study pools at all.
        guarded: whether arms that look noisier are kept out; without it all of them share.
    """
    rows = [row for row, name in enumerate(arms) if name not in apart]
    spreads = [_spread(levels, row, among=rows, name=name) for row, name in enumerate(arms)]
    steady = [
        row for row in rows if not spreads[row].unstable
    ]  # an unstable arm makes all seem to be far from the mean
    spreads = [replace(one, sd=_sd(levels, row, among=steady)) for row, one in enumerate(spreads)]
    spreads = [_left_out(one, apart=apart, guarded=guarded and row > 0) for row, one in enumerate(spreads)]
    members = [row for row in range(1, len(arms)) if spreads[row].left_out is None]
    refused = None if share else NOT_SHARED
    if share and guarded and _ratio(levels, 0, members)[1] < BASELINE_GUARD:
        refused = f"{arms[0]} itself spreads more than the variants"
    kept = [] if refused else members
    n_seeds = levels.shape[1]
    if kept:
        df = len(kept) * (n_seeds - 1)
        variance = 2 * _interaction(levels[[0, *kept]]) / df
    else:
        df, variance = n_seeds - 1, float((levels[1:] - levels[0]).var(1, ddof=1).max())
    return Pool(
        spreads=tuple(spreads),
        members=tuple(arms[row] for row in kept),
        variance=variance,
        df=df,
        n_seeds=n_seeds,
        refused=refused,
    )


def _spread(levels: FloatArray, row: int, *, among: Sequence[int], name: str) -> ArmSpread:
    ratio, chance = _ratio(levels, row, [other for other in among if other != row])
    return ArmSpread(
        arm=name,
        sd=_sd(levels, row, among=among),
        ratio=ratio,
        unstable=ratio is not None and ratio > UNSTABLE_RATIO and chance < UNSTABLE_CHANCE,
    )


def _left_out(spread: ArmSpread, *, apart: Mapping[str, str], guarded: bool) -> ArmSpread:
    why = apart.get(spread.arm)
    if why is None and spread.unstable and guarded:
        why = f"{spread.ratio:.1f} times the others' spread"
    return replace(spread, left_out=why)


def _sd(levels: FloatArray, row: int, *, among: Sequence[int]) -> float:
    """Of a paired difference of two arms as noisy as this one; without others to measure it by, among all."""
    others = [other for other in among if other != row] or [other for other in range(len(levels)) if other != row]
    return float(np.sqrt(2 * _own_variance(levels, row, others)))


def _ratio(levels: FloatArray, row: int, others: Sequence[int]) -> tuple[float | None, float]:
    """An arm's sd over that of the others, and the chance of one so large where all are alike."""
    if len(others) < 2:
        return None, 1.0
    df = (len(others) - 1) * (levels.shape[1] - 1)
    rest = _interaction(levels[list(others)]) / df
    if rest <= 0:
        return None, 1.0  # runs that agree everywhere
    f = _own_variance(levels, row, others) / rest
    return float(np.sqrt(f)), float(special.fdtrc(levels.shape[1] - 1, df, f))


def _own_variance(levels: FloatArray, row: int, others: Sequence[int]) -> float:
    """Of one arm's noise, (bits per byte)^2, if the others were as noisy: from its distance to their mean."""
    distance = levels[row] - levels[list(others)].mean(0)
    return float(distance.var(ddof=1)) / (1 + 1 / len(others))


def _interaction(levels: FloatArray) -> float:
    """Sum of squares of what neither arm nor seed explains."""
    rest = levels - levels.mean(0) - levels.mean(1, keepdims=True) + levels.mean()
    return float((rest**2).sum())
