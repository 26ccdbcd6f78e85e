"""How far a law missed when it looked as far ahead as is asked of it now: fitted to runs of less compute than the rest.

An interval of a fit knows the noise of runs and not that the law may bend. On 243 public runs (Besiroglu 2024), 142
forecasts at 2 to 8 times the compute ended inside 95 % intervals of the fit in 39 %; widened by this, in 72 % by
``chinchilla`` and 82 % by ``coupled``: still short of what is stated, so a forecast is to be scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dq.results import Result
from dq.scaling.fit import Fit
from dq.scaling.heldout import solution_on
from dq.scaling.plans.quantity import LEVEL, short
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, compute_of

LEAST_SHARE = 0.25
"""Of the runs, that the earlier fit must have; and twice as many as it has parameters."""


@dataclass(frozen=True, kw_only=True)
class BackTest(Result):
    """A law fitted to the runs of less compute, on those ahead of them.

    Attributes:
        factor: most compute of all runs, times that of the runs fitted.
        seen: runs fitted.
        ahead: runs in the farther half of that factor.
        error: root of the mean squared error of log loss there.
    """

    factor: float
    seen: int
    ahead: int
    error: float

    def at(self, beyond: float) -> float:
        """The error to expect that many times beyond: it grows with the logarithm of compute."""
        return self.error * max(1.0, math.log(beyond) / math.log(self.factor))

    @property
    def in_words(self) -> str:
        """What it did."""
        error = f"{100 * self.error:.1f} % off"
        return f"{error} at up to {short(self.factor)} times the compute of {self.seen:,} earlier runs"


def back_test(fit: Fit, beyond: float) -> BackTest | None:
    """Look as far ahead from the past as ``beyond`` looks from now, or as far as the runs allow; None if not at all."""
    compute = compute_of(fit.table.frame)
    order, least = np.sort(compute), max(2 * len(fit.fitted), math.ceil(LEAST_SHARE * len(compute)))
    if beyond <= 1.0 or least >= len(order):
        return None
    cut = max(float(compute.max()) / beyond, float(order[least - 1]))
    seen, factor = np.flatnonzero(compute <= cut), float(compute.max()) / cut
    ahead = compute > cut * math.sqrt(factor)
    if factor <= 1.0 or not ahead.any():
        return None
    earlier = replace(fit, solution=solution_on(fit.solution, seen))
    runs = fit.table.frame.filter(pl.Series(ahead))
    error = np.log(runs["loss"].to_numpy() / earlier.predict(runs)["loss"].to_numpy())
    return BackTest(factor=factor, seen=len(seen), ahead=int(ahead.sum()), error=float(np.sqrt(np.mean(error**2))))


@dataclass(frozen=True)
class Ahead:
    """A law at a run to come.

    Attributes:
        row: of `Fit.predict`, with ``run_low`` and ``run_high`` as wide as the back-test says.
        beyond: times the compute of the largest run.
        tested: the back-test; None within the runs.
    """

    row: Mapping[str, float]
    beyond: float
    tested: BackTest | None


def look_ahead(fit: Fit, targets: Sequence[Mapping[str, float]], *, level: float = LEVEL) -> list[Ahead]:
    """The law at each target, with intervals for one run that count how it did before."""
    largest = float(compute_of(fit.table.frame).max())
    return [
        _ahead(fit, row, largest=largest, level=level)
        for row in fit.predict(pl.DataFrame([dict(one) for one in targets]), level=level).to_dicts()
    ]


def _ahead(fit: Fit, row: dict[str, float], *, largest: float, level: float) -> Ahead:
    if not {"n_params", "n_tokens"} <= row.keys():  # a law of one size: compute is unknown
        return Ahead(row, 1.0, None)
    beyond = FLOPS_PER_PARAMETER_AND_TOKEN * row["n_params"] * row["n_tokens"] / largest
    tested = back_test(fit, beyond)
    if tested is None:
        return Ahead(row, beyond, None)
    reach = math.exp(fit.solution.spread.quantile(level) * tested.at(beyond))
    low, high = min(row["run_low"], row["loss"] / reach), max(row["run_high"], row["loss"] * reach)
    return Ahead({**row, "run_low": low, "run_high": high}, beyond, tested)
