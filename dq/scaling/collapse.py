"""Whether runs were tuned alike: their curves, each divided by its final loss, fall on one another.

Across sizes they do so where tokens a parameter are the same and the optimiser's time scale is right; a curve that
leaves the others warns of a badly tuned run, without any further run (Bergsma 2025, arXiv 2509.25087).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from dq.compare import RunTable
from dq.errors import FitError, listed
from dq.results import Result
from dq.scaling.points import FloatArray

SKIPPED = 0.1
"""Of each run's tokens: warmup and the first descent follow no common curve."""
LEAST_POINTS, LEAST_RUNS, LEAST_FOR_TREND, POINTS = 4, 3, 5, 40
SAME_RATIO = 1.25
"""Tokens a parameter of runs that are compared differ by less than this factor."""
NAMED = 3
"""Odd runs that a sentence names."""
ODD, LEAST = 3.0, 0.005
"""A run is odd whose distance is this many times the usual one, and at least this share of the loss."""


@dataclass(frozen=True, kw_only=True)
class Collapse(Result):
    """How far each run's curve lies from those of runs with as many tokens a parameter.

    Attributes:
        runs: a row a run: ``run``, ``n_tokens``, ``ratio`` (tokens a parameter, null where unknown), ``group`` (of runs
            of one ratio), ``distance`` from the others' median (mean, a share of the loss; null where the group has
            fewer than three runs), ``off_trend`` (the same from where the group's trend with tokens puts the run: the
            floor of the loss makes one), ``side`` (with its sign: above 0 where the curve lies above) and ``odd``.
        curves: a row a run and point: ``run``, ``group``, ``share`` (of its tokens) and ``normalised`` loss.
        notes: runs that could not be judged.
    """

    FRAME: ClassVar[str] = "runs"

    runs: pl.DataFrame
    curves: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def in_words(self) -> tuple[str, ...]:
        """How far all lie from one another, and which leave the others: the furthest by name."""
        judged = self.runs.filter(pl.col("distance").is_not_null())
        if judged.is_empty():
            return ("No run can be judged",)
        usual = 100 * float(np.median(judged["distance"].to_numpy()))
        words = [f"{len(judged):,} normalised curves lie {usual:.2g} % of the loss from one another (median)"]
        odd = judged.filter("odd").sort("off_trend", descending=True).to_dicts()
        if not odd:
            return (*words, "None leaves the others: nothing speaks against their tuning")
        named = "; ".join(
            f"{one['run']} lies {100 * one['off_trend']:.2g} % off, mostly {'above' if one['side'] > 0 else 'below'}"
            for one in odd[:NAMED]
        )
        more = f"; and {len(odd) - NAMED:,} more" if len(odd) > NAMED else ""
        leave = "leaves" if len(odd) == 1 else "leave"
        return (
            *words,
            f"{len(odd):,} of them {leave} the others: {named}{more}. Look at learning rate, batch size and weight "
            "decay before such losses are compared",
        )


def collapse(runs: RunTable) -> Collapse:
    """Divide each run's curve by its final loss, and measure how far it lies from the others of its ratio.

    Args:
        runs: several rows a ``run``: evaluations along its training.

    Raises:
        FitError: there is no column ``run``, or no three runs have enough evaluations.
    """
    if not runs.has("run"):
        raise FitError(
            f"{runs.name}: no column `run`, which names the training run of each evaluation", field="columns"
        )
    curves = list(_curves(runs))
    if len(curves) < LEAST_RUNS:
        raise FitError(
            f"{runs.name}: {len(curves)} runs have {LEAST_POINTS} evaluations past the first {SKIPPED:.0%} of their "
            f"tokens, and {LEAST_RUNS} are compared at least",
            field="collapse",
        )
    every = runs.frame["run"].n_unique()
    notes = [f"{every - len(curves):,} of {every:,} runs have too few evaluations"] if every > len(curves) else []
    groups = _groups([one.ratio for one in curves])
    distances: dict[str, tuple[float, float, float]] = {}
    alone: list[str] = []
    for group in sorted(set(groups)):
        mine = [one for one, number in zip(curves, groups, strict=True) if number == group]
        if len(mine) < LEAST_RUNS:
            alone += [one.run for one in mine]
            continue
        distances |= _distances(mine)
    if alone:
        notes.append(f"{listed(alone)}: fewer than {LEAST_RUNS} runs with as many tokens a parameter")
    usual = float(np.median([one for _, one, _ in distances.values()])) if distances else 0.0
    rows = [
        {
            "run": one.run,
            "n_tokens": one.n_tokens,
            "ratio": one.ratio,
            "group": group,
            "distance": found[0] if (found := distances.get(one.run)) else None,
            "off_trend": found[1] if found else None,
            "side": found[2] if found else None,
            "odd": found is not None and found[1] > max(LEAST, ODD * usual),
        }
        for one, group in zip(curves, groups, strict=True)
    ]
    drawn = [
        pl.DataFrame({"share": one.share, "normalised": one.normalised}).with_columns(run=pl.lit(one.run), group=group)
        for one, group in zip(curves, groups, strict=True)
    ]
    return Collapse(runs=pl.DataFrame(rows, infer_schema_length=None), curves=pl.concat(drawn), notes=tuple(notes))


@dataclass(frozen=True)
class _Curve:
    run: str
    n_tokens: float
    ratio: float | None
    share: FloatArray
    normalised: FloatArray


def _curves(runs: RunTable) -> Iterator[_Curve]:
    for (run,), rows in runs.frame.sort("n_tokens").group_by("run", maintain_order=True):
        tokens, loss = rows["n_tokens"].to_numpy(), rows["loss"].to_numpy()
        late = tokens >= SKIPPED * tokens[-1]
        if late.sum() >= LEAST_POINTS:
            ratio = float(tokens[-1] / rows["n_params"][-1]) if runs.has("n_params") else None
            yield _Curve(str(run), float(tokens[-1]), ratio, tokens[late] / tokens[-1], loss[late] / loss[-1])


def _groups(ratios: list[float | None]) -> list[int]:
    """Numbers of groups of nearly one ratio, ascending; all one where ratios are unknown."""
    known = [one or 1.0 for one in ratios]
    order = np.argsort(known, kind="stable")
    groups, start, number = [0] * len(known), known[order[0]], 0
    for at in order:
        if known[at] > SAME_RATIO * start:
            start, number = known[at], number + 1
        groups[at] = number
    return groups


def _distances(curves: list[_Curve]) -> dict[str, tuple[float, float, float]]:
    """By run: mean distance from the median of the others; from the trend with tokens; and that with its sign."""
    grid = np.linspace(max(one.share[0] for one in curves), 1.0, POINTS)
    logs = np.stack([np.interp(grid, one.share, np.log(one.normalised)) for one in curves])
    off = logs - _trend(np.log([one.n_tokens for one in curves]), logs)
    others = [np.median(np.delete(logs, at, axis=0), axis=0) for at in range(len(curves))]
    return {
        one.run: (float(np.abs(logs[at] - others[at]).mean()), float(np.abs(off[at]).mean()), float(off[at].mean()))
        for at, one in enumerate(curves)
    }


def _trend(x: FloatArray, y: FloatArray) -> FloatArray:
    """Straight lines in x through columns of y (n, m), by medians of slopes (Theil and Sen): one odd run moves none."""
    first, second = np.triu_indices(len(x), 1)
    apart = np.abs(x[second] - x[first]) > np.log(SAME_RATIO)
    slope = np.zeros(y.shape[1])
    if len(x) >= LEAST_FOR_TREND and apart.any():
        rise, run = y[second[apart]] - y[first[apart]], x[second[apart]] - x[first[apart]]
        slope = np.median(rise / run[:, None], axis=0)
    level = np.median(y - x[:, None] * slope, axis=0)
    line: FloatArray = level + x[:, None] * slope
    return line
