"""What a fit warns of: how it ended, and a design of runs that cannot carry it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dq.scaling.solution import Solution

FEW_AGREE = 0.02
LEAST_SPAN = 16.0
LEAST_BUDGETS = 5
SMALL_DECREMENT = 1e-9


def advice_on(solution: Solution, runs: pl.DataFrame, *, ends: Sequence[str]) -> list[str]:
    """Sentences, most urgent first."""
    found = []
    if solution.decrement > SMALL_DECREMENT and solution.objective > 1e-20:
        found.append(
            f"the gradient is not zero yet (a step still promises {solution.decrement:.1e} of the objective): fix a "
            "parameter, or choose a law with fewer"
        )
    found += [
        f"{name} ended at an end of the range that is searched: the runs want it out of the law; fix it or take a law "
        "without it"
        for name in ends
    ]
    if solution.agreeing < FEW_AGREE:
        found.append(
            f"only {solution.agreeing:.0%} of the starts came to this minimum: a lower one may exist; compare "
            "objectives with fewer parameters free"
        )
    return found + _on_design(runs)


def _on_design(runs: pl.DataFrame) -> list[str]:
    """The rule of thumb for grids: 16 times between the least and the most tokens at a size, 5 budgets."""
    if not {"n_params", "n_tokens"} <= set(runs.columns):
        return []
    by_size = runs.group_by("n_params").agg(
        span=pl.col("n_tokens").max() / pl.col("n_tokens").min(), budgets=pl.col("n_tokens").n_unique()
    )
    if len(by_size) > len(runs) / 2:  # a cloud of runs, not a grid
        return []
    span, budgets = (float(np.median(by_size[name].to_numpy())) for name in ("span", "budgets"))
    if span >= LEAST_SPAN and budgets >= LEAST_BUDGETS:
        return []
    return [
        f"the median size has {budgets:g} budgets that span {span:.3g} times in tokens; exponents want at least "
        f"{LEAST_BUDGETS} over {LEAST_SPAN:g} times"
    ]
