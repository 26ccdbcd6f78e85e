"""Fit a law to runs, and what a fit can be asked: intervals, predictions, and what the runs do not determine."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from dq.arguments import whole_number
from dq.compare import RunTable
from dq.errors import ConfigError, FitError, nearest
from dq.results import Result
from dq.scaling.advice import advice_on
from dq.scaling.bootstrap import Bootstrap, bootstrap_of
from dq.scaling.identified import Identification, identify
from dq.scaling.known import NamedLaw, law_named
from dq.scaling.points import IntArray, Points, as_loss
from dq.scaling.problem import Problem
from dq.scaling.profile import ParameterInterval, Profile, profile_of
from dq.scaling.sensitivity import sensitivity_of
from dq.scaling.solution import Solution, solve
from dq.scaling.space import Space

DELTA = 1e-3
"""Of the Huber loss on log loss (Hoffmann 2022)."""
SMALL_DECREMENT = 1e-9
AT_END = 1e-6


class FitStatus(enum.StrEnum):
    """How a fit ended."""

    CONVERGED = "converged"
    """The gradient is as good as zero."""
    AT_BOUND = "at a bound"
    """It is, but a parameter ended at an end of the range that is searched: see the advice."""
    NOT_CONVERGED = "not converged"
    """A further step would still lower the objective: do not use the parameters; see the advice."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What a fit does that most do not need.

    Attributes:
        overestimate_penalty: factor of the loss where the law lies above a run. A run can be under-tuned and never too
            good, so 10 lets a curve run below badly tuned ones (OLMo-core's ladder); 1 treats both sides alike.
        count: which count of parameters is the law's N: without embeddings, or all. The two give other exponents
            (Porian 2024), so a fit says which.
    """

    overestimate_penalty: float = 1.0
    count: Literal["n_params", "n_params_total"] = "n_params"


@dataclass(frozen=True, kw_only=True)
class Fit(Result):
    """A law fitted to runs.

    ``predict``, ``interval``, ``profile``, ``identified``, ``bootstrap`` and ``sensitivity`` ask it further; each is
    computed when asked for.
    """

    law: str
    formula: str
    params: dict[str, float]
    """Every parameter of the law, fixed and tied ones too."""
    fitted: tuple[str, ...]
    fixed: dict[str, float]
    tied: dict[str, str]
    objective: float
    """Summed Huber loss of log loss."""
    delta: float
    options: FitOptions
    r2: float
    """Share of the variance of the loss that the law explains."""
    n_runs: int
    gradient_norm: float
    starts: int
    agreeing: float
    """Share of the starts followed to their end that came to this objective."""
    status: FitStatus
    advice: tuple[str, ...]
    """What to do or to beware of, most urgent first."""
    table: RunTable
    solution: Solution
    """What intervals are computed from; see `dq.scaling.solution`."""

    def record(self) -> dict[str, Any]:
        """What is fitted, without the runs."""
        hidden = ("table", "solution")
        return {name: value for name, value in super().record().items() if name not in hidden}

    @property
    def residuals(self) -> pl.DataFrame:
        """The runs with the law's ``predicted`` loss and the ``residual``: log loss above the law."""
        residuals = self.solution.residuals
        predicted = np.exp(self.solution.problem.log_loss - residuals)
        return self.table.frame.with_columns(predicted=pl.Series(predicted), residual=pl.Series(residuals))

    @property
    def noise(self) -> float:
        """Robust standard deviation of runs about the law, in log loss: 0.01 is 1 % of the loss."""
        return self.solution.spread.sd

    def predict(self, at: pl.DataFrame | Mapping[str, float | Sequence[float]], *, level: float = 0.95) -> pl.DataFrame:
        """The law at other points.

        Args:
            at: the columns that the law reads, a row a point: ``{"n_params": [1e9], "n_tokens": [2e10]}``.
            level: of the intervals.

        Returns:
            ``at`` with ``loss``; ``low`` and ``high``, between which the law's own value lies; and ``run_low`` and
            ``run_high``, between which one more run would end. Both hold only as far as the law does: what another form
            would say is in no interval.

        Raises:
            FitError: a column is missing.
        """
        table = at if isinstance(at, pl.DataFrame) else pl.DataFrame({k: _series(v) for k, v in at.items()})
        law, solution = self.solution.problem.law, self.solution
        points = Points.of(table, law.columns, what=f"law `{self.law}`")
        found = law.evaluate(points, solution.problem.space.all_of(solution.x[None]))
        slopes, log_loss = solution.problem.space.spread.T @ found.slopes[0], found.log_loss[0]
        variance = np.einsum("fi,fg,gi->i", slopes, solution.covariance, slopes) * solution.inflation(slopes)
        reach = solution.spread.quantile(level) * np.sqrt(variance)
        run_reach = solution.spread.quantile(level) * np.sqrt(variance + solution.spread.sd**2)
        ends = {"loss": 0.0, "low": -reach, "high": reach, "run_low": -run_reach, "run_high": run_reach}
        return table.with_columns(pl.Series(name, as_loss(log_loss + end)) for name, end in ends.items())

    def profile(self, name: str, *, level: float = 0.95) -> Profile:
        """How well the law fits at other values of a fitted parameter, all others refitted.

        Raises:
            ConfigError: the parameter is not fitted.
        """
        return profile_of(self.solution, self.solution.problem.space.place(name), level=level)

    def interval(self, name: str, *, level: float = 0.95) -> ParameterInterval:
        """Where a fitted parameter lies, from its profile; an end that is None was not found.

        Raises:
            ConfigError: the parameter is not fitted.
        """
        return self.profile(name, level=level).interval

    def identified(self, *, level: float = 0.95) -> tuple[Identification, ...]:
        """For each fitted parameter, whether the runs determine it."""
        free = self.solution.problem.space.free
        return tuple(identify(one, self.interval(one.name, level=level)) for one in free)

    def bootstrap(self, *, by: str = "run", resamples: int = 1000, seed: int = 0) -> Bootstrap:
        """Refits to resampled runs.

        Args:
            by: the column whose rows are drawn together; without a column ``run`` each row is a run.
            resamples: how many.
            seed: of the draws.

        Raises:
            ConfigError: there is no such column.
        """
        groups = self.solution.clusters
        if by != "run":
            if not self.table.has(by):
                raise ConfigError(nearest(by, self.table.frame.columns, what="column"), field="by")
            groups = _numbered(self.table.frame[by])
        resamples = whole_number(resamples, name="resamples", least=2)
        return bootstrap_of(self.solution, groups, by=by, resamples=resamples, seed=seed)

    def sensitivity(self) -> pl.DataFrame:
        """The fitted parameters with other deltas and without the largest residuals: a row a ``change``."""
        return sensitivity_of(self)

    def refit(self, runs: pl.DataFrame | RunTable, *, delta: float | None = None) -> Fit:
        """The same law, fixed and tied as here, fitted to other runs or with another delta."""
        return fit(self.law, runs, delta=delta or self.delta, fixed=self.fixed, tied=self.tied, options=self.options)


def fit(
    law: str,
    runs: pl.DataFrame | RunTable,
    *,
    delta: float = DELTA,
    fixed: Mapping[str, float] | None = None,
    tied: Mapping[str, str] | None = None,
    options: FitOptions | None = None,
) -> Fit:
    """Fit a law to runs: the lowest summed Huber loss of log loss that the published grid of starts leads to.

    Args:
        law: its name, such as "chinchilla" or "coupled"; `describe_laws` lists them.
        runs: see `dq.compare.read_runs`.
        delta: where the Huber loss turns from a square into a line, in log units.
        fixed: values of parameters that are not fitted.
        tied: parameters that equal another: ``{"beta": "alpha"}``.
        options: see `FitOptions`.

    Raises:
        ConfigError: a name or a value is wrong.
        FitError: the runs are too few, or lack a column.
    """
    options = options or FitOptions()
    if not (delta > 0 and math.isfinite(delta)):
        raise ConfigError(f"`delta` must be above 0 (got {delta:g}); published fits take {DELTA:g}", field="delta")
    if not options.overestimate_penalty > 0:
        raise ConfigError("`overestimate_penalty` must be above 0; 1 is none", field="overestimate_penalty")
    table = _counted(RunTable.of(runs), options)
    named = law_named(law, table.frame)
    fixed, notes = _with_pinned(named, table, fixed={**named.form.fixed, **(fixed or {})})
    tied = {one: other for one, other in {**named.form.tied, **(tied or {})}.items() if one not in fixed}
    space = Space.of(named.law, fixed=fixed, tied=tied)
    if not space.free:
        raise ConfigError("`fixed`: every parameter is fixed, none is left to fit; see `objective_at`", field="fixed")
    if table.has("variant") and (variants := table.frame["variant"].n_unique()) > 1:
        notes.append(
            f"runs of {variants} variants are fitted as one text, but filters move exponents too: fit each alone, and "
            "test what they share"
        )
    problem = _problem(named, table, space, delta=delta)
    problem = replace(problem, overestimate_penalty=options.overestimate_penalty)
    solution = solve(problem, _clusters(table))
    return _fit(named, table, solution, fixed=fixed, tied=tied, delta=delta, options=options, notes=notes)


def objective_at(
    law: str, runs: pl.DataFrame | RunTable, params: Mapping[str, float], *, delta: float = DELTA
) -> float:
    """The objective of a law at given parameters: what a published point is worth on these runs.

    Raises:
        ConfigError: a parameter is missing or unknown.
    """
    table = RunTable.of(runs)
    named = law_named(law, table.frame)
    given = {**named.form.fixed, **params}
    given |= {one: given[other] for one, other in named.form.tied.items() if one not in given and other in given}
    if missing := [one.name for one in named.law.parameters if one.name not in given]:
        raise ConfigError(
            f"`params` has no {missing[0]}; the law `{law}` needs a value of each parameter", field="params"
        )
    problem = _problem(named, table, Space.of(named.law, fixed=given, tied={}), delta=delta, least=1)
    return float(problem.objective(np.zeros((1, 0)))[0])


def _counted(table: RunTable, options: FitOptions) -> RunTable:
    if options.count == "n_params":
        return table
    if not table.has(options.count):
        raise FitError(f"{table.name}: no column `{options.count}`, the count of all parameters", field="count")
    return replace(table, frame=table.frame.with_columns(n_params=pl.col(options.count)))


def _with_pinned(named: NamedLaw, table: RunTable, *, fixed: dict[str, float]) -> tuple[dict[str, float], list[str]]:
    """What is fixed because all runs have one value of a column; said aloud, since E then means something else."""
    notes = []
    for column, values in named.law.without_spread.items():
        if table.has(column) and table.frame[column].n_unique() == 1:
            new = {name: value for name, value in values.items() if name not in fixed}
            if new:
                notes.append(
                    f"every run has one {column}: {', '.join(new)} cannot be told and "
                    f"{'is' if len(new) == 1 else 'are'} left out; the floor is that of this {column}, not of the text"
                )
            fixed = {**new, **fixed}
    return fixed, notes


def _problem(named: NamedLaw, table: RunTable, space: Space, *, delta: float, least: int | None = None) -> Problem:
    points = Points.of(table.frame, named.law.columns, what=f"law `{named.name}`")
    least = len(space.free) + 1 if least is None else least
    if len(points) < least:
        raise FitError(
            f"{table.name}: {len(points)} runs are too few for the {len(space.free)} parameters of law `{named.name}`; "
            f"give at least {least}, or fix some (`fixed`)"
        )
    return Problem(named.law, points, np.log(table.frame["loss"].to_numpy()), space, delta)


def _clusters(table: RunTable) -> IntArray:
    return _numbered(table.frame["run"]) if table.has("run") else np.arange(len(table.frame))


def _numbered(column: pl.Series) -> IntArray:
    return (column.rank("dense") - 1).fill_null(0).to_numpy().astype(np.int64)


def _series(value: float | Sequence[float]) -> list[float]:
    return [float(value)] if isinstance(value, (int, float)) else [float(one) for one in value]


def _fit(
    named: NamedLaw,
    table: RunTable,
    solution: Solution,
    *,
    fixed: dict[str, float],
    tied: dict[str, str],
    delta: float,
    options: FitOptions,
    notes: Sequence[str],
) -> Fit:
    space = solution.problem.space
    everything = space.all_of(solution.x[None])[0]
    loss = table.frame["loss"].to_numpy()
    unexplained = (loss - np.exp(solution.problem.log_loss - solution.residuals)) ** 2
    ends = [
        one.name
        for one, at in zip(space.free, solution.x, strict=True)
        if min(at - one.low, one.high - at) < AT_END * (one.high - one.low)
    ]
    status = FitStatus.AT_BOUND if ends else FitStatus.CONVERGED
    if solution.decrement > SMALL_DECREMENT and solution.objective > 1e-20:
        status = FitStatus.NOT_CONVERGED
    return Fit(
        law=named.name,
        formula=named.form.meaning,
        params={one.name: one.value(float(v)) for one, v in zip(named.law.parameters, everything, strict=True)},
        fitted=tuple(one.name for one in space.free),
        fixed=fixed,
        tied=tied,
        objective=solution.objective,
        delta=delta,
        options=options,
        r2=float(1 - unexplained.sum() / max(((loss - loss.mean()) ** 2).sum(), 1e-300)),
        n_runs=len(table.frame),
        gradient_norm=solution.gradient_norm,
        starts=solution.starts,
        agreeing=solution.agreeing,
        status=status,
        advice=(*advice_on(solution, table.frame, ends=ends), *notes, *table.warnings),
        table=table,
        solution=solution,
    )
