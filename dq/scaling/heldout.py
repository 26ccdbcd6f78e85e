"""How well a law says what it has not seen: the largest compute, each size in turn, and size after size upwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from dq.results import Result
from dq.scaling.points import IntArray, compute_of
from dq.scaling.solution import Solution, solve

if TYPE_CHECKING:
    from dq.scaling.fit import Fit

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
TOP_SHARE = 0.2
"""Of the runs by compute, left out of the fit."""
NEAR_STARTS = 48
SIZE_BINS = 8
"""Of parameters, where almost every run has a size of its own."""


@dataclass(frozen=True, kw_only=True)
class HeldOut(Result):
    """A law fitted to some runs, on the others."""

    FRAME: ClassVar[str] = "frame"

    what: str
    """What was left out."""
    median_error: float
    """Median of the absolute errors of log loss: 0.01 is 1 % of the loss."""
    worst_error: float
    inside: float
    """Share of the runs left out within their 95 % interval."""
    frame: pl.DataFrame
    """The runs left out: ``n_params``, ``n_tokens``, ``loss``, ``predicted``, ``error`` and ``inside``."""


def held_out_compute(fit: Fit, *, share: float = TOP_SHARE) -> HeldOut | None:
    """Fitted to the runs of less compute, on the share with the most; None where too few would remain."""
    compute = compute_of(fit.table.frame)
    bound = float(np.quantile(compute, 1 - share))
    above = compute > bound
    return _scored(fit, [(~above, above)], what=f"the {100 * share:g} % of the runs with the most compute")


def leave_one_size_out(fit: Fit) -> HeldOut | None:
    """Each size predicted by a fit to all others; None where there are fewer than three."""
    sizes = _sizes(fit.table.frame)
    if int(sizes.max()) < 2:
        return None
    return _scored(fit, [(sizes != one, sizes == one) for one in range(int(sizes.max()) + 1)], what="each size in turn")


def rollout(fit: Fit) -> HeldOut | None:
    """Each size predicted by a fit to all smaller ones: what the law would have said at the time."""
    sizes = _sizes(fit.table.frame)
    if int(sizes.max()) < 2:
        return None
    parts = [(sizes < one, sizes == one) for one in range(2, int(sizes.max()) + 1)]
    return _scored(fit, parts, what="each size, by the smaller ones")


def _sizes(runs: pl.DataFrame) -> IntArray:
    """Numbers of sizes from 0, ascending; of eight equal bins where runs hardly share a size."""
    n_params = runs["n_params"].to_numpy()
    distinct = np.unique(n_params)
    if len(distinct) > len(n_params) / 2:
        distinct = np.unique(np.quantile(n_params, np.arange(1, SIZE_BINS) / SIZE_BINS))
        return np.searchsorted(distinct, n_params).astype(np.int64)
    return np.searchsorted(distinct, n_params).astype(np.int64)


def _scored(fit: Fit, parts: Sequence[tuple[Mask, Mask]], *, what: str) -> HeldOut | None:
    frames = [frame for seen, unseen in parts for frame in _predicted(fit, seen, unseen)]
    if not frames:
        return None
    frame = pl.concat(frames)
    errors = frame["error"].abs().to_numpy()
    return HeldOut(
        what=what,
        median_error=float(np.median(errors)),
        worst_error=float(errors.max()),
        inside=float(frame["inside"].to_numpy().mean()),
        frame=frame,
    )


def _predicted(fit: Fit, seen: Mask, unseen: Mask) -> Iterator[pl.DataFrame]:
    """The unseen runs with what a fit to the seen ones says; nothing where these are too few."""
    rows = np.flatnonzero(seen)
    if len(rows) <= len(fit.fitted) + 1 or not unseen.any():
        return
    smaller = replace(fit, solution=solution_on(fit.solution, rows))
    table = smaller.predict(fit.table.frame.filter(pl.Series(unseen)))
    yield table.select(
        "n_params",
        "n_tokens",
        loss=fit.table.frame.filter(pl.Series(unseen))["loss"],
        predicted="loss",
        error=pl.col("loss").log() - fit.table.frame.filter(pl.Series(unseen))["loss"].log(),
        inside=fit.table.frame.filter(pl.Series(unseen))["loss"].is_between(table["run_low"], table["run_high"]),
    )


def solution_on(solution: Solution, rows: IntArray) -> Solution:
    """The same law solved on some of the runs, from many starts about the solution of all of them."""
    drawn = np.random.default_rng(0).standard_normal((NEAR_STARTS, len(solution.x)))
    near = solution.x + 0.3 * drawn * np.maximum(0.3, np.abs(solution.x))
    starts = np.concatenate([solution.x[None], solution.others, near])
    low, high = solution.problem.space.low, solution.problem.space.high
    clusters = np.unique(solution.clusters[rows], return_inverse=True)[1].astype(np.int64)
    return solve(solution.problem.at(rows), clusters, starts=np.clip(starts, low, high))
