"""Several laws on the same runs: by what they say of runs they have not seen, and by information criteria."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from scipy import special
from scipy.optimize import minimize_scalar

from dq.arguments import many
from dq.compare import RunTable
from dq.errors import ConfigError
from dq.results import Result
from dq.scaling.fit import DELTA, Fit, FitOptions, fit
from dq.scaling.heldout import HeldOut, held_out_compute, leave_one_size_out, rollout


@dataclass(frozen=True, kw_only=True)
class Candidate(Result):
    """One law's scores; lower is better in all of them."""

    law: str
    parameters: int
    objective: float
    aic: float
    bic: float
    held_out: HeldOut | None
    """The most compute, left out."""
    left_out: HeldOut | None
    """Each size in turn."""
    rollout: HeldOut | None
    """Each size by the smaller ones."""


@dataclass(frozen=True, kw_only=True)
class Selection(Result):
    """Laws compared on the same runs."""

    FRAME: ClassVar[str] = "frame"

    candidates: tuple[Candidate, ...]
    """Best first: by the error on held-out compute, by BIC where none could be held out."""
    fits: tuple[Fit, ...]
    """In the same order."""

    @property
    def frame(self) -> pl.DataFrame:
        """A row a law."""
        rows = [
            {
                "law": one.law,
                "parameters": one.parameters,
                "objective": one.objective,
                "aic": one.aic,
                "bic": one.bic,
                **{
                    name: None if part is None else part.median_error
                    for name, part in (("held_out", one.held_out), ("left_out", one.left_out), ("rollout", one.rollout))
                },
            }
            for one in self.candidates
        ]
        return pl.DataFrame(rows)

    @property
    def words(self) -> str:
        """One sentence: which law says best what it has not seen, and whether the criteria agree."""
        best = self.candidates[0]
        if len(self.candidates) == 1:
            return f"{best.law} is the only law that was fitted"
        by_bic = min(self.candidates, key=lambda one: one.bic)
        agree = "and has the lowest BIC" if by_bic is best else f"while {by_bic.law} has the lowest BIC"
        if best.held_out is None:
            return f"{by_bic.law} has the lowest BIC; too few runs to hold any out"
        second = self.candidates[1]
        beside = "" if second.held_out is None else f" ({second.law}: {second.held_out.median_error:.2%})"
        return f"{best.law} errs least on {best.held_out.what}: {best.held_out.median_error:.2%}{beside}, {agree}"


def select(
    laws: Sequence[str], runs: pl.DataFrame | RunTable, *, delta: float = DELTA, options: FitOptions | None = None
) -> Selection:
    """Fit several laws to the same runs and compare them.

    Raises:
        ConfigError: no law is named, or one twice.
        FitError: a law cannot be fitted to these runs.
    """
    names = many(laws, name="laws", of="names of laws")
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"`laws` must name laws, each once (got {', '.join(map(str, names)) or 'none'})", field="law")
    table = RunTable.of(runs)
    found = [fit(name, table, delta=delta, options=options) for name in names]
    scored = sorted(((candidate_of(one), one) for one in found), key=lambda pair: _order(pair[0]))
    return Selection(candidates=tuple(one for one, _ in scored), fits=tuple(one for _, one in scored))


def candidate_of(found: Fit) -> Candidate:
    """The scores of a fitted law."""
    n_runs, parameters = int(found.solution.clusters.max()) + 1, len(found.fitted) + 1  # and the noise
    surprise = 2 * negative_log_likelihood(found.objective, n=found.n_runs, delta=found.delta)
    return Candidate(
        law=found.law,
        parameters=len(found.fitted),
        objective=found.objective,
        aic=surprise + 2 * parameters,
        bic=surprise + math.log(n_runs) * parameters,
        held_out=held_out_compute(found),
        left_out=leave_one_size_out(found),
        rollout=rollout(found),
    )


def negative_log_likelihood(objective: float, *, n: int, delta: float) -> float:
    """Of n residuals under the density whose logarithm is the Huber loss, at its best temperature T.

    The density is exp(-rho(r)/T)/Z(T), a normal in the middle with exponential tails: Z is the normal's mass within
    delta and that of both tails.
    """

    def surprise(log_t: float) -> float:
        t = math.exp(log_t)
        middle = math.log(math.sqrt(2 * math.pi * t)) + special.log_ndtr(0.0) + math.log(2)
        share = float(special.erf(delta / math.sqrt(2 * t)))
        tails = math.log(2 * t / delta) - delta**2 / (2 * t)
        inside = middle + math.log(share) if share > 0 else -math.inf
        return n * float(np.logaddexp(inside, tails)) + objective / t

    found = minimize_scalar(surprise, bounds=(math.log(delta**2) - 30, math.log(delta) + 10), method="bounded")
    return float(found.fun)


def _order(one: Candidate) -> tuple[float, float]:
    return (math.inf if one.held_out is None else one.held_out.median_error, one.bic)
