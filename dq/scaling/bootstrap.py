"""Refits to resampled runs: what another set of such runs might have said.

Whole runs are drawn, never single points of one: points along a run fall and rise together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from dq.results import Result
from dq.scaling.points import FloatArray, IntArray
from dq.scaling.profile import ParameterInterval
from dq.scaling.solution import Solution
from dq.scaling.solver import minimize

CONVERGED = 1e-6
"""What a further step may still promise, as a share of the objective."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Result):
    """Fitted parameters of resampled runs."""

    FRAME: ClassVar[str] = "frame"

    by: str
    seed: int
    estimates: dict[str, float]
    frame: pl.DataFrame
    """A row a resample: the fitted parameters and the ``objective``."""
    converged: float
    """Share of the refits whose gradient is as good as 0."""
    draws: FloatArray
    """The solver's numbers, (resamples, F)."""

    def interval(self, name: str, *, level: float = 0.95) -> ParameterInterval:
        """Percentiles of the refits."""
        low, high = (float(self.frame[name].quantile(q, "linear") or 0.0) for q in (0.5 - level / 2, 0.5 + level / 2))
        return ParameterInterval(name=name, estimate=self.estimates[name], low=low, high=high, level=level)

    def record(self) -> dict[str, object]:
        """Intervals in place of a thousand rows."""
        intervals = [self.interval(name) for name in self.estimates]
        return {
            "by": self.by,
            "seed": self.seed,
            "resamples": len(self.frame),
            "converged": self.converged,
            "intervals": intervals,
        }


def bootstrap_of(solution: Solution, groups: IntArray, *, by: str, resamples: int, seed: int) -> Bootstrap:
    """Refits, each begun at the estimate and at the points that fit nearly as well.

    Args:
        solution: of all runs.
        groups: numbers from 0, (n,): what is drawn together.
        by: what the groups are, for the record.
        resamples: how many.
        seed: of the draws.
    """
    count = int(groups.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = draws[:, groups].astype(np.float64)
    x, objective, decrement = np.zeros((resamples, len(solution.x))), np.full(resamples, np.inf), np.zeros(resamples)
    for start in (solution.x, *solution.others):
        found = minimize(solution.problem, np.tile(start, (resamples, 1)), weights=weights)
        lower = found.objective < objective
        x[lower], objective[lower], decrement[lower] = found.x[lower], found.objective[lower], found.decrement()[lower]
    free = solution.problem.space.free
    columns = {one.name: [one.value(float(v)) for v in x[:, at]] for at, one in enumerate(free)}
    return Bootstrap(
        by=by,
        seed=seed,
        estimates={one.name: one.value(float(v)) for one, v in zip(free, solution.x, strict=True)},
        frame=pl.DataFrame({**columns, "objective": objective}),
        converged=float(np.mean(decrement < CONVERGED)),
        draws=x,
    )
