"""How much each arm's seeds spread, and which arms may share one estimate of it.

A difference of few seeds has few degrees of freedom of its own; arms that look alike may share theirs. Two things are
then measured: the mean variance of the differences from the baseline, and that of all differences between them. The
larger stands for every difference, with the degrees of freedom of the first, which are fewer. A baseline twice as noisy
as the variants, which is in each of their differences, shows in the first; a variant twice as noisy weighs more in the
second. Simulated with three variants and 5 % stated over all: 2 to 3.5 % where all are alike, 4.4 to 5.0 % where any
one is twice as noisy, 4.3 to 5.4 % where the baseline is three times as noisy. The second alone errs 9 to 12 % with a
noisy baseline, the first alone 7 % with a noisy variant. A rule that ends the pooling where the baseline looks noisier
(F test at 20 %) errs 7 % at 3 seeds, and detects no more: where it is wrong, a fifth of the time, intervals are long.

A variant with over 3 times the others' spread (beyond chance at 1 %) is left out of the pool and called unstable. One
of just 3 times makes it 6 % in all.

Spreads are told as the sd over seeds of a paired difference between two arms that noisy, the unit of every interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from dq.compare.tables import FloatArray
from dq.results import Result

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
    """Variants that share it; none where the study does not pool."""
    variance: float
    """Of a seed's paired difference, (bits per byte)^2: of the members, or without any the largest of a pair's own."""
    df: float


def pool_spread(levels: FloatArray, *, arms: Sequence[str], apart: Mapping[str, str], share: bool = True) -> Pool:
    """The spread of every arm, and the one that the variants share.

    The shared one is the larger of the mean variance of the members' differences from the baseline and that of all
    differences between them and it; with one variant both are that pair's own.

    Args:
        levels: bits per byte (arms, seeds), at least 2 of each, the baseline first.
        arms: their names.
        apart: variants that never share, with the reason.
        share: whether the study pools at all.
    """
    rows = [row for row, name in enumerate(arms) if name not in apart]
    spreads = [_spread(levels, row, among=rows, name=name) for row, name in enumerate(arms)]
    # Without the unstable ones, which make all seem to be far from the mean.
    steady = [row for row in rows if not spreads[row].unstable]
    spreads = [replace(one, sd=_sd(levels, row, among=steady)) for row, one in enumerate(spreads)]
    spreads = [_left_out(one, apart=apart) if row else one for row, one in enumerate(spreads)]
    members = [row for row in range(1, len(arms)) if spreads[row].left_out is None]
    kept = members if share else []
    n_seeds = levels.shape[1]
    of_differences = (levels[1:] - levels[0]).var(1, ddof=1)
    if kept:
        from_baseline = float(of_differences[np.array(kept) - 1].mean())
        df, variance = pooled_df(len(kept), n_seeds), max(from_baseline, difference_variance(levels[[0, *kept]]))
    else:
        df, variance = n_seeds - 1.0, float(of_differences.max())
    return Pool(
        spreads=tuple(spreads),
        members=tuple(arms[row] for row in kept),
        variance=variance,
        df=df,
    )


def difference_variance(levels: FloatArray) -> float:
    """Of a seed's paired difference: the mean over all pairs of arms, which is twice the interaction mean square.

    Args:
        levels: bits per byte (arms, seeds), at least 2 of each; it has (arms - 1)(seeds - 1) degrees of freedom.
    """
    return 2 * _interaction(levels) / float((len(levels) - 1) * (levels.shape[1] - 1))


def pooled_df(members: int, n_seeds: int) -> float:
    """Degrees of freedom of the mean variance of differences that share a baseline as noisy as each of them.

    Their covariance matrix has the trace m and the sum of squares m (m + 3) / 4, so that by Satterthwaite a mean of m
    variances has 4 m / (m + 3) times the degrees of freedom of one: 1, 1.6, 2, 2.3, at most 4.
    """
    return 4 * members / (members + 3) * (n_seeds - 1)


def _spread(levels: FloatArray, row: int, *, among: Sequence[int], name: str) -> ArmSpread:
    ratio, chance = _ratio(levels, row, [other for other in among if other != row])
    return ArmSpread(
        arm=name,
        sd=_sd(levels, row, among=among),
        ratio=ratio,
        unstable=ratio is not None and ratio > UNSTABLE_RATIO and chance < UNSTABLE_CHANCE,
    )


def _left_out(spread: ArmSpread, *, apart: Mapping[str, str]) -> ArmSpread:
    why = apart.get(spread.arm)
    if why is None and spread.unstable:
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
