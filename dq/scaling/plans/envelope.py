"""The best size at each compute without a law: the lowest of the curves of all sizes (Hoffmann 2022, 1st way).

It is biased: only sizes that were trained can be best, at either end the outermost ones stand in for those beyond, and
of several nearly equal runs the luckiest counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.compare import RunTable
from dq.errors import FitError
from dq.results import Result
from dq.scaling.heldout import Mask
from dq.scaling.plans.isoflop import PowerLine
from dq.scaling.plans.quantity import Quantity
from dq.scaling.plans.surface import RESAMPLES
from dq.scaling.points import FloatArray, compute_of

GRID = 200
LEAST_CURVES, LEAST_OPTIMA = 3, 3


@dataclass(frozen=True, kw_only=True)
class Envelope(Result):
    """Optima by the lowest curve.

    Attributes:
        optima: ``flops`` and ``n_params`` along compute, where a size between others is lowest.
        exponent: of the best N by compute.
        n_params: the power law.
    """

    optima: pl.DataFrame
    exponent: Quantity
    n_params: PowerLine

    def record(self) -> dict[str, object]:
        """Without what only plans read."""
        return {"exponent": self.exponent, "optima": self.optima}


def envelope(runs: RunTable, *, noise: float = 0.0, resamples: int = RESAMPLES, seed: int = 0) -> Envelope:
    """Follow the lowest of the curves of log loss by log compute, straight between the runs of a size.

    Args:
        runs: of fresh text; sizes with two budgets or more are curves.
        noise: of runs, in log loss, for intervals: drawn and added anew.
        resamples: with such noise.
        seed: of the draws.

    Raises:
        FitError: fewer than three sizes lie beside each other at any compute, or fewer than three are ever lowest.
    """
    frame, compute = runs.frame, compute_of(runs.frame)
    sizes = np.sort([n for n, rows in frame.group_by("n_params") if len(rows) > 1], axis=0).ravel()
    if len(sizes) < LEAST_CURVES:
        raise FitError(
            f"{runs.name}: {len(sizes)} sizes have two budgets or more, and an envelope wants {LEAST_CURVES}; or fit a "
            "law",
            field="isoflop",
        )
    drawn = np.random.default_rng(seed).standard_normal((resamples if noise else 1, len(frame)))
    log_loss = np.log(frame["loss"].to_numpy()) + noise * np.concatenate([np.zeros((1, len(frame))), drawn])
    grid = np.linspace(np.log(compute.min()), np.log(compute.max()), GRID)
    curves = np.stack([_curve(frame["n_params"].to_numpy() == n, np.log(compute), log_loss, grid=grid) for n in sizes])
    lines = [_line(one, sizes, grid) for one in curves.transpose(1, 0, 2)]
    if lines[0] is None:
        raise FitError(
            f"{runs.name}: fewer than {LEAST_OPTIMA} sizes between others are ever the best of their compute; run more "
            "budgets of more sizes, or fit a law",
            field="isoflop",
        )
    middle = lines[0][1].mean()
    at = np.array([[np.nan, np.nan] if one is None else np.polyfit(one[1] - middle, one[0], 1) for one in lines])
    return Envelope(
        optima=pl.DataFrame({"flops": np.exp(lines[0][1]), "n_params": np.exp(lines[0][0])}),
        exponent=Quantity.of(at[:, 0]) if noise else Quantity(value=float(at[0, 0]), low=None, high=None, reached=0.0),
        n_params=PowerLine(at[:, 0], at[:, 1], float(middle)),
    )


def _curve(mine: Mask, log_c: FloatArray, log_loss: FloatArray, *, grid: FloatArray) -> FloatArray:
    """Log loss of a size along compute for each draw, (K, grid); infinite beyond its runs."""
    order = np.argsort(log_c[mine], kind="stable")
    x, y = log_c[mine][order], log_loss[:, mine][:, order]
    inside = (grid >= x[0]) & (grid <= x[-1])
    found: FloatArray = np.full((len(y), len(grid)), np.inf)
    found[:, inside] = [np.interp(grid[inside], x, one) for one in y]
    return found


def _line(curves: FloatArray, sizes: FloatArray, grid: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Log size of the lowest curve and log compute, where it is neither the smallest nor the largest there."""
    there = np.isfinite(curves)
    lowest = np.argmin(curves, axis=0)
    first, last = there.argmax(axis=0), len(sizes) - 1 - there[::-1].argmax(axis=0)
    between = there.any(axis=0) & (lowest > first) & (lowest < last)
    if len(np.unique(lowest[between])) < LEAST_OPTIMA:
        return None
    return np.log(sizes[lowest[between]]), grid[between]
