"""How much a fit hangs on what was chosen or on single runs: other deltas, and without the largest residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dq.scaling.heldout import solution_on

if TYPE_CHECKING:
    from dq.scaling.fit import Fit

FACTORS = (0.1, 10.0, 100.0)
"""Of delta."""
DROPPED = (1, 3, 5)
"""Runs of the largest residuals."""


def sensitivity_of(fit: Fit) -> pl.DataFrame:
    """The fitted parameters as they are, with other deltas, and without the runs of the largest residuals."""
    rows = [_row("as fitted", fit)]
    rows += [
        _row(f"delta {fit.delta * factor:g}", fit.refit(fit.table, delta=fit.delta * factor)) for factor in FACTORS
    ]
    order = np.argsort(-np.abs(fit.solution.residuals), kind="stable")
    names = [one.name for one in fit.solution.problem.space.free]
    for count in DROPPED:
        kept = np.sort(order[count:])
        if len(kept) <= len(names):
            break
        smaller = solution_on(fit.solution, kept)
        values = [one.value(float(v)) for one, v in zip(smaller.problem.space.free, smaller.x, strict=True)]
        what = f"without the {count} largest residuals" if count > 1 else "without the largest residual"
        rows.append({"change": what, "objective": smaller.objective, **dict(zip(names, values, strict=True))})
    return pl.DataFrame(rows)


def _row(change: str, fit: Fit) -> dict[str, float | str]:
    return {"change": change, "objective": fit.objective, **{name: fit.params[name] for name in fit.fitted}}
