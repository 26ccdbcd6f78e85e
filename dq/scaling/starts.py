"""Where a fit begins: the published grid, all of it looked at, the promising and some of the others descended from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dq.scaling.points import FloatArray, IntArray
from dq.scaling.problem import Problem
from dq.scaling.solver import Minima, minimize

MOST_STARTS = 20_000
PROMISING = 192
OTHERS = 96
SCREENING_STEPS = 30


def start_grid(problem: Problem) -> FloatArray:
    """Every combination of the free parameters' starts, (K, F): 4,500 for Chinchilla, a sample of more than 20,000."""
    axes = [np.array(one.starts) for one in problem.space.free]
    total = math.prod(len(axis) for axis in axes)
    chosen = np.arange(total)
    if total > MOST_STARTS:
        chosen = np.sort(np.random.default_rng(0).choice(total, MOST_STARTS, replace=False))
    places = np.unravel_index(chosen, [len(axis) for axis in axes])
    return np.stack([axis[place] for axis, place in zip(axes, places, strict=True)], axis=1)


@dataclass(frozen=True)
class Descents:
    """Where starts ended.

    Attributes:
        minima: of the starts that were followed to their end.
        screened: of all that were followed for a while: far from each other where the objective is flat.
    """

    minima: Minima
    screened: Minima


def descend(problem: Problem, starts: FloatArray) -> Descents:
    """The minima of the most promising starts and of an even sample of the others, so that no basin is forgotten."""
    promising = _ranked(problem, starts)
    rest = promising[PROMISING:]
    spread = rest[np.linspace(0, len(rest) - 1, min(OTHERS, len(rest))).astype(np.int64)] if len(rest) else rest
    first = minimize(problem, starts[np.concatenate([promising[:PROMISING], spread])], steps=SCREENING_STEPS)
    order = np.argsort(first.objective, kind="stable")[: PROMISING // 2]
    return Descents(minimize(problem, first.x[order], steps=200, tolerance=1e-13), first)


def _ranked(problem: Problem, starts: FloatArray) -> IntArray:
    """Numbers of the starts by their objective; those where the law overflows come last."""
    chunk = max(1, 400_000 // len(problem))
    with np.errstate(all="ignore"):
        values = np.concatenate([problem.objective(starts[at : at + chunk]) for at in range(0, len(starts), chunk)])
    ranked: IntArray = np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable")
    return ranked
