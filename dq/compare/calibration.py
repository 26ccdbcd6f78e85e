"""How often comparisons err where there is nothing to find: simulated through the code that judges.

Every arm is the same data, so every arm that is called better or worse is an error. The chance of any error over all
variants, pairs or looks is stated as 5 %; a rule that is called more often is broken, whatever its derivation says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from scipy import special

from dq.compare.arms import ArmsComparison, compare_arms
from dq.compare.family import plan_looks
from dq.compare.results import Outcome
from dq.compare.tables import FloatArray
from dq.results import Result

SEEDS = (3, 5, 10)
ARMS = ("raw", "a", "b", "c")
EVERY = tuple(range(3, 11))
SHARED_SD = 3.0
"""Of what all arms of a seed have in common, in units of their own: pairing removes it."""
NOISY = 2.0
CALLED = (Outcome.BETTER, Outcome.WORSE)


@dataclass(frozen=True, kw_only=True)
class Calibration(Result):
    """False verdicts by rule and number of seeds.

    ``frame`` has a row a rule and number of seeds: ``rule`` str, ``seeds`` str, ``simulations`` i64, ``stated`` f64
    (the chance of any false verdict that the rule promises), ``measured`` f64, and ``low`` to ``high`` f64, where the
    true chance lies with 95 % (Wilson).
    """

    FRAME: ClassVar[str] = "frame"

    frame: pl.DataFrame


def calibrate_comparisons(*, simulations: int = 1000, seed: int = 0) -> Calibration:
    """Measure every rule at 3, 5 and 10 seeds, and over looks at growing numbers of seeds.

    Args:
        simulations: of each row; 1,000 tell 5 % from 3.5 or 6.7 %.
        seed: of the random numbers.
    """
    rows = list(_rows(simulations, np.random.default_rng(seed)))
    return Calibration(frame=pl.DataFrame(rows, orient="row", schema=SCHEMA))


SCHEMA = {
    "rule": pl.String,
    "seeds": pl.String,
    "simulations": pl.Int64,
    "stated": pl.Float64,
    "measured": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


def _rows(simulations: int, draw: np.random.Generator) -> Iterator[tuple[object, ...]]:
    for rule, called, noisy in (
        ("3 variants against a baseline (Dunnett, shared spread)", _any_variant, None),
        ("the same, one variant twice as noisy", _any_variant, "a"),
        ("the same, the baseline twice as noisy", _any_variant, "raw"),
        ("6 pairs of 4 arms (Holm, shared spread)", _any_pair, None),
        ("3 variants of seeds of their own (Welch)", _any_apart, None),
    ):
        for n_seeds in SEEDS:
            shared = called is not _any_apart
            losses = (_losses(n_seeds, draw, noisy=noisy, shared=shared) for _ in range(simulations))
            times = sum(map(called, losses))
            yield _row(rule, str(n_seeds), times, simulations=simulations, stated=0.05)
    for seeds, errors, rule in (
        (EVERY, [0.05] * len(EVERY), "one variant, looked at again and again, 5 % each time"),
        (SEEDS, [0.05 / 3] * 3, "one variant, three looks, a third of 5 % each"),
        (SEEDS, [look.error for look in plan_looks(SEEDS)], "one variant, three looks, as a study plans them"),
    ):
        n = max(simulations, 20_000)  # cheap: all at once
        share = false_over_looks(seeds, errors, simulations=n, seed=int(draw.integers(2**31)))
        name = ", ".join(map(str, seeds)) if len(seeds) < 5 else f"{seeds[0]} to {seeds[-1]}"
        yield _row(rule, name, round(share * n), simulations=n, stated=min(sum(errors), 0.05))


def false_over_looks(
    seeds: Sequence[int], errors: Sequence[float], *, simulations: int = 20_000, seed: int = 0
) -> float:
    """The chance that the paired t interval of one variant without effect excludes 0 at any look.

    Args:
        seeds: at each look.
        errors: of the interval at each look, two-sided.
        simulations: studies.
        seed: of the random numbers.
    """
    differences = np.random.default_rng(seed).normal(size=(simulations, max(seeds)))
    called = np.zeros(simulations, bool)
    for n, error in zip(seeds, errors, strict=True):
        part = differences[:, :n]
        t = part.mean(1) / (part.std(1, ddof=1) / math.sqrt(n))
        called |= np.abs(t) > special.stdtrit(n - 1, 1 - error / 2)
    return float(called.mean())


def _losses(n_seeds: int, draw: np.random.Generator, *, noisy: str | None, shared: bool) -> dict[str, FloatArray]:
    common = draw.normal(0, SHARED_SD, n_seeds) if shared else np.zeros(n_seeds)
    return {name: common + draw.normal(0, NOISY if name == noisy else 1.0, n_seeds) for name in ARMS}


def _compared(losses: dict[str, FloatArray], *, apart: bool = False) -> ArmsComparison:
    arms = {
        name: {f"{name if apart else ''}{seed}": float(loss) for seed, loss in enumerate(values)}
        for name, values in losses.items()
    }
    return compare_arms(arms, baseline="raw")


def _any_variant(losses: dict[str, FloatArray]) -> bool:
    return any(one.outcome in CALLED for one in _compared(losses).differences)


def _any_apart(losses: dict[str, FloatArray]) -> bool:
    return any(one.outcome in CALLED for one in _compared(losses, apart=True).differences)


def _any_pair(losses: dict[str, FloatArray]) -> bool:
    return any(one.outcome in CALLED for one in _compared(losses).pairs)


def _row(rule: str, seeds: str, times: int, *, simulations: int, stated: float) -> tuple[object, ...]:
    low, high = wilson(times, simulations)
    return rule, seeds, simulations, stated, times / simulations, low, high


def wilson(times: int, tries: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Where a share lies that was seen so often (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    z = float(special.ndtri(0.5 + confidence / 2))
    share, scale = times / tries, 1 + z**2 / tries
    middle = (share + z**2 / (2 * tries)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / tries + z**2 / (4 * tries**2))
    return max(0.0, middle - half), min(1.0, middle + half)
