"""The profile of one parameter: how well a law can fit at each of its values, all others refitted.

A flat profile says that the runs do not determine the parameter, whatever its estimate; a symmetric interval from the
minimum's curvature would hide that.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from dq.results import Result
from dq.scaling.points import FloatArray
from dq.scaling.solution import Solution
from dq.scaling.solver import Minima, minimize

POINTS = 12  # to each side
SWEEPS = 3
REFINEMENTS = 2
SUBDIVISIONS = 8


@dataclass(frozen=True, kw_only=True)
class ParameterInterval(Result):
    """Where a parameter lies; an end that is None was not found within the range that is searched."""

    name: str
    estimate: float
    low: float | None
    high: float | None
    level: float
    """Such as 0.95: the share of repetitions of all runs in which such an interval holds the true value."""


@dataclass(frozen=True, kw_only=True)
class Profile(Result):
    """How the objective rises away from a parameter's estimate."""

    FRAME: ClassVar[str] = "frame"

    interval: ParameterInterval
    allowed_rise: float
    """Of the objective, within the interval."""
    frame: pl.DataFrame
    """By the parameter's ``value``: the ``rise`` of the objective and the fitted parameters."""
    lowest: FloatArray
    """The solver's numbers (F,) at the least objective met on the way: the estimate's, unless better was found."""

    def record(self) -> dict[str, object]:
        """All but what only a fit can read."""
        return {"interval": self.interval, "allowed_rise": self.allowed_rise, "frame": self.frame}


@dataclass(frozen=True)
class _Path:
    """Constrained minima by the held parameter's value, ascending."""

    values: FloatArray
    x: FloatArray
    rise: FloatArray

    def joined(self, other: _Path) -> _Path:
        values = np.concatenate([self.values, other.values])
        order = np.argsort(values, kind="stable")
        return _Path(
            values[order], np.concatenate([self.x, other.x])[order], np.concatenate([self.rise, other.rise])[order]
        )


def profile_of(solution: Solution, place: int, *, level: float) -> Profile:
    """The profile of a free parameter, from its estimate to where the objective has risen enough, at both sides."""
    space = solution.problem.space
    along = np.eye(len(solution.x))[:, place : place + 1]
    allowed = solution.spread.allowed_rise(level) * float(solution.inflation(along)[0])
    here = float(solution.x[place])
    path = _descended(solution, place, _grid(solution, place))
    for _ in range(REFINEMENTS):
        finer = [value for side in (-1, 1) for value in _subdivided(path, here, allowed=allowed, side=side)]
        if finer:
            path = path.joined(_descended(solution, place, np.array(sorted(finer)), near=path))
    low, high = (_crossing(path, here, allowed=allowed, side=side) for side in (-1, 1))
    parameter = space.free[place]
    columns = {one.name: [one.value(float(v)) for v in path.x[:, at]] for at, one in enumerate(space.free)}
    values = columns.pop(parameter.name)
    return Profile(
        interval=ParameterInterval(
            name=parameter.name,
            estimate=parameter.value(float(solution.x[place])),
            low=None if low is None else parameter.value(low),
            high=None if high is None else parameter.value(high),
            level=level,
        ),
        allowed_rise=allowed,
        frame=pl.DataFrame({"value": values, "rise": path.rise.tolist(), **columns}),
        lowest=path.x[int(np.argmin(path.rise))],
    )


def _grid(solution: Solution, place: int) -> FloatArray:
    """Values on both sides of the estimate, ever farther apart, to the ends of the range."""
    parameter, here = solution.problem.space.free[place], float(solution.x[place])
    error = math.sqrt(max(float(solution.covariance[place, place]), 0.0))
    values = [here]
    for end in (parameter.low, parameter.high):
        reach = abs(end - here)
        if reach > 0:
            first = min(max(0.5 * error, 1e-9 * reach), reach / POINTS)
            values += list(here + np.sign(end - here) * np.geomspace(first, reach, POINTS))
    return np.array(sorted(values))


def _descended(solution: Solution, place: int, values: FloatArray, *, near: _Path | None = None) -> _Path:
    """Constrained minima: each value starts on the tangent, then from its neighbours, until none lowers another."""
    problem = solution.problem
    slope = solution.covariance[:, place] / max(float(solution.covariance[place, place]), 1e-300)
    starts = solution.x + (values - solution.x[place])[:, None] * slope
    if near is not None:
        starts = near.x[np.abs(near.values[None] - values[:, None]).argmin(1)].copy()
    starts[:, place] = values
    best = minimize(problem, starts, held=place, steps=60)
    x, objective = best.x, best.objective
    if near is None and len(solution.others):
        found = _from_others(solution, place, values)
        every = np.concatenate([objective[None], found.objective.reshape(-1, len(values))])
        choice, rows = every.argmin(0), np.arange(len(values))
        x = np.concatenate([x[None], found.x.reshape(-1, *x.shape)])[choice, rows]
        objective = every[choice, rows]
    for _ in range(SWEEPS):
        again = np.concatenate([np.roll(x, 1, axis=0), np.roll(x, -1, axis=0)])
        again[:, place] = np.tile(values, 2)
        found = minimize(problem, again, held=place, steps=60)
        lower = np.stack([objective, *found.objective.reshape(2, -1)])
        choice, rows = lower.argmin(0), np.arange(len(values))
        improved = lower[choice, rows] < (1 - 1e-9) * objective
        x = np.stack([x, *found.x.reshape(2, *x.shape)])[choice, rows]
        objective = lower[choice, rows]
        if not improved.any():
            break
    return _Path(values, x, objective - solution.objective)


def _from_others(solution: Solution, place: int, values: FloatArray) -> Minima:
    """Constrained minima that the other points which fit nearly as well lead to: of all values from each point."""
    starts = np.repeat(solution.others, len(values), axis=0)
    starts[:, place] = np.tile(values, len(solution.others))
    return minimize(solution.problem, starts, held=place, steps=60)


def _bracket(path: _Path, estimate: float, *, allowed: float, side: int) -> tuple[int, int] | None:
    """Neighbours on the path between which the rise passes what is allowed; None where it never does."""
    order = np.argsort(side * path.values, kind="stable")
    order = order[side * (path.values[order] - estimate) >= 0]
    for inner, outer in itertools.pairwise(order):
        if path.rise[outer] > allowed:
            return int(inner), int(outer)
    return None


def _subdivided(path: _Path, estimate: float, *, allowed: float, side: int) -> FloatArray:
    found = _bracket(path, estimate, allowed=allowed, side=side)
    if found is None:
        return np.zeros(0)
    ends = path.values[list(found)]
    inside: FloatArray = np.linspace(ends[0], ends[1], SUBDIVISIONS + 2)[1:-1]
    return inside


def _crossing(path: _Path, estimate: float, *, allowed: float, side: int) -> float | None:
    """Where the root of the rise, which is nearly straight, passes the root of what is allowed."""
    found = _bracket(path, estimate, allowed=allowed, side=side)
    if found is None:
        return None
    inner, outer = found
    low, high, wanted = (math.sqrt(max(float(one), 0.0)) for one in (path.rise[inner], path.rise[outer], allowed))
    share = (wanted - low) / (high - low) if high > low else 1.0
    return float(path.values[inner] + share * (path.values[outer] - path.values[inner]))
