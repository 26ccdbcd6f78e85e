"""The intervals that decide: they hold for all variants of a study together, at every look.

An error of 5 % is stated for the whole study. Variants that share their spread take their part of it with Dunnett's
quantile, each other one an equal part with its own t. Over looks at growing numbers of seeds the error is spent by a
plan fixed before running: every number of seeds from 3 to 10 at 95 % each would give 17 % false verdicts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from dq.compare.paired import PAIRED, t_interval
from dq.compare.power import power_of
from dq.compare.results import Comparison, Interval, MeanSquares
from dq.compare.spread import Pool
from dq.errors import CompareError
from dq.results import Result

ERROR = 0.05
THREE_LOOKS = (0.01, 0.015, 0.025)


@dataclass(frozen=True, kw_only=True)
class Look(Result):
    """A number of seeds at which variants are judged."""

    seeds: int
    error: float
    """Chance of any false verdict at this look, over all variants."""


def plan_looks(seeds: Sequence[int], errors: Sequence[float] | None = None) -> tuple[Look, ...]:
    """Looks whose errors sum to 5 % at the most: 0.01, 0.015 and 0.025 for three, else equal parts.

    Errors that add up are valid however looks, documents and sets depend on each other. Late looks get more of it: they
    have the power, and an early one then stops only what is clear.

    Raises:
        CompareError: seeds do not grow, or the errors are not one a look or sum to more than 5 %.
    """
    if errors is None:
        errors = THREE_LOOKS if len(seeds) == len(THREE_LOOKS) else [ERROR / len(seeds)] * len(seeds)
    if list(seeds) != sorted(set(seeds)):
        raise CompareError(f"looks must grow, each with more seeds than the one before; got {list(seeds)}")
    if len(errors) != len(seeds):
        raise CompareError(f"{len(seeds)} looks need {len(seeds)} errors, got {len(errors)}")
    if min(errors, default=0) <= 0 or sum(errors) > ERROR + 1e-9:
        raise CompareError(f"errors of looks must be above 0 and sum to at most {ERROR:g}, got {list(errors)}")
    return tuple(Look(seeds=n, error=error) for n, error in zip(seeds, errors, strict=True))


def with_family(comparison: Comparison, *, pool: Pool, variants: int, error: float) -> Comparison:
    """Add the interval that decides, and state power for it.

    Args:
        comparison: of a variant, on the sets that the pool was taken from.
        pool: of the arms that are judged.
        variants: all of the study, those among them that were decided at an earlier look.
        error: chance of any false verdict over all of them.
    """
    if comparison.mean_squares is None or comparison.interval is None:
        return comparison
    share = share_of(pool, comparison.variant, squares=comparison.mean_squares, variants=variants, error=error)
    power = power_of(
        share.squares,
        margin=comparison.power.margin if comparison.power else None,
        confidence=share.confidence,
        comparisons=share.comparisons,
    )
    return dataclasses.replace(comparison, family_interval=share.interval(comparison.difference, error), power=power)


@dataclass(frozen=True, kw_only=True)
class Share:
    """One variant's part of a family: the spread that it rests on, and the error that it may spend."""

    squares: MeanSquares
    confidence: float
    comparisons: int
    """How many differences the quantile holds together."""
    label: str

    def interval(self, difference: float, error: float) -> Interval:
        """Of the variant's difference; what is stated is the confidence of the family, not this variant's part."""
        found = t_interval(
            self.squares, difference, confidence=self.confidence, comparisons=self.comparisons, label=self.label
        )
        return dataclasses.replace(found, confidence=1 - error)


def share_of(pool: Pool, variant: str, *, squares: MeanSquares, variants: int, error: float) -> Share:
    """A variant's part; arguments as of `with_family`, ``squares`` are its own."""
    together, whose = 1, "own spread"
    if variant in pool.members:
        together, whose = len(pool.members), f"spread pooled, {pool.df:,.3g} df"
        squares = dataclasses.replace(squares, seed=pool.variance * squares.n_documents, seed_df=pool.df)
    return Share(
        squares=squares,
        confidence=1 - error * together / variants,
        comparisons=together,
        label=PAIRED if variants == 1 else f"for {variants:,} variants together, {whose}",
    )
