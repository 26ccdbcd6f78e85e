"""Whether corpora may share a parameter: fitted with one value for all, and with one for each.

Filters move exponents as well as coefficients (QualityPajama 2026), so a shared one must be earned. The rise of the
objective is judged by F, as intervals are (`dq.scaling.spread`), and by refits to runs drawn under sharing, which needs
no large number of runs and decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import special

from dq.compare import RunTable
from dq.errors import ConfigError, nearest
from dq.results import Result
from dq.scaling.fit import DELTA, Fit, fit
from dq.scaling.joint import CORPUS, Joint
from dq.scaling.points import FloatArray, IntArray, Points
from dq.scaling.problem import Problem
from dq.scaling.solution import Solution, solve
from dq.scaling.solver import minimize
from dq.scaling.space import Space
from dq.scaling.spread import spread_of

LEVEL = 0.05
RESAMPLES = 400
NEAR_STARTS = 48


@dataclass(frozen=True, kw_only=True)
class Sharing(Result):
    """One test of whether corpora may share parameters.

    Attributes:
        law: its name.
        parameters: that are shared.
        by_corpus: their values where each has its own: by corpus, then by parameter.
        together: their values where all share them.
        rise: of the summed Huber loss by sharing.
        df: parameters that sharing saves.
        p_f: chance of such a rise under sharing, by F.
        p: the same by refits to resampled runs.
    """

    law: str
    parameters: tuple[str, ...]
    by_corpus: dict[str, dict[str, float]]
    together: dict[str, float]
    rise: float
    df: int
    p_f: float
    p: float

    @property
    def refused(self) -> bool:
        """Whether the runs speak against sharing."""
        return self.p < LEVEL

    @property
    def in_words(self) -> str:
        """The verdict, with the values."""
        names = " and ".join(self.parameters)
        each = "; ".join(
            f"{corpus} {', '.join(f'{value:.3g}' for value in values.values())}"
            for corpus, values in self.by_corpus.items()
        )
        if self.refused:
            return f"{names} must not be shared (p = {self.p:.2g}): {each}"
        shared = ", ".join(f"{value:.3g}" for value in self.together.values())
        return (
            f"nothing speaks against sharing {names} (p = {self.p:.2g}): together {shared}; {each} (few or noisy runs "
            "speak against nothing)"
        )


def fits_by_variant(
    law: str, runs: RunTable, *, delta: float = DELTA, fixed: Mapping[str, float] | None = None
) -> dict[str, Fit]:
    """A law fitted to each variant of a table alone.

    Raises:
        ConfigError: the table has no two variants.
        FitError: a variant has too few runs; names it.
    """
    names: list[str] = runs.frame["variant"].drop_nulls().unique().sort().to_list() if runs.has("variant") else []
    if len(names) < 2:
        raise ConfigError(
            f"{runs.name}: no column `variant` with two variants or more, whose parameters could be shared",
            field="shared",
        )
    parts = {name: replace(runs, frame=runs.frame.filter(pl.col("variant") == name)) for name in names}
    return {
        name: fit(law, replace(part, name=f"{runs.name}, variant {name}"), delta=delta, fixed=fixed)
        for name, part in parts.items()
    }


def sharing(
    fits: Mapping[str, Fit], parameters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Sharing:
    """Test whether corpora share parameters of a law.

    Args:
        fits: by corpus, all of one law with the same parameters fixed and tied.
        parameters: names of fitted ones that are to be shared.
        resamples: of the runs under sharing.
        seed: of these.

    Raises:
        ConfigError: there are fewer than two corpora, several laws, or no such parameter.
    """
    every = list(fits.values())
    if len(every) < 2 or len({(one.law, one.fitted, tuple(one.fixed.items()), one.delta) for one in every}) > 1:
        raise ConfigError(
            "sharing takes at least two corpora, fitted alike: one law, the same parameters fixed", field="shared"
        )
    for name in parameters:
        if name not in every[0].fitted:
            raise ConfigError(nearest(name, every[0].fitted, what="fitted parameter"), field="shared")
    places = tuple(every[0].fitted.index(name) for name in dict.fromkeys(parameters))
    if not places:
        raise ConfigError("no parameter is to be shared; name one, such as beta", field="shared")
    test = _Test.of([one.solution for one in every], places)
    rise = test.tied.objective - test.free
    df = len(places) * (len(every) - 1)
    spread = spread_of(
        test.residuals, test.clusters, fitted=sum(len(one.fitted) for one in every), delta=every[0].delta
    )
    f = 2 * max(rise, 0.0) * spread.psi_slope / spread.psi_squared / df
    drawn = test.rises(resamples, seed=seed)
    free = every[0].solution.problem.space.free
    return Sharing(
        law=every[0].law,
        parameters=tuple(free[at].name for at in places),
        by_corpus={name: {free[at].name: one.params[free[at].name] for at in places} for name, one in fits.items()},
        together={free[at].name: free[at].value(float(test.tied.x[n])) for n, at in enumerate(places)},
        rise=rise,
        df=df,
        p_f=float(special.fdtrc(df, spread.df, f)),
        p=float((1 + np.sum(drawn >= rise)) / (1 + len(drawn))),
    )


@dataclass(frozen=True)
class _Test:
    """The fits of each corpus and of all together."""

    each: Sequence[Solution]
    joint: Joint
    tied: Solution

    @classmethod
    def of(cls, each: Sequence[Solution], shared: tuple[int, ...]) -> _Test:
        problem = each[0].problem
        joint = Joint(problem.law, problem.space, shared, len(each))
        columns = {name: np.concatenate([one.problem.points[name] for one in each]) for name in problem.law.columns}
        corpus = np.concatenate([np.full(len(one.problem), number) for number, one in enumerate(each)])
        together = replace(
            problem,
            law=joint,
            points=Points({**columns, CORPUS: corpus.astype(np.float64)}),
            log_loss=np.concatenate([one.problem.log_loss for one in each]),
            space=Space(joint.parameters, np.eye(len(joint.parameters)), np.zeros(len(joint.parameters))),
        )
        start = joint.joined([one.x[None] for one in each])
        near = np.random.default_rng(0).standard_normal((NEAR_STARTS, start.shape[1]))
        starts = np.concatenate([start, start + 0.3 * near * np.maximum(0.3, np.abs(start))])
        starts = np.clip(starts, together.space.low, together.space.high)
        return cls(each, joint, solve(together, np.arange(len(corpus)), starts=starts))

    @property
    def free(self) -> float:
        """The objective with a value a corpus."""
        return sum(one.objective for one in self.each)

    @property
    def residuals(self) -> FloatArray:
        """Of the fits with a value a corpus."""
        return np.concatenate([one.residuals for one in self.each])

    @property
    def clusters(self) -> IntArray:
        """The run of each point; runs of two corpora are two."""
        firsts = np.cumsum([0, *(int(one.clusters.max()) + 1 for one in self.each)])
        return np.concatenate([one.clusters + first for one, first in zip(self.each, firsts, strict=False)])

    def rises(self, resamples: int, *, seed: int) -> FloatArray:
        """The rise by sharing in tables drawn from the law that is shared, with each corpus's own residuals."""
        draw = np.random.default_rng(seed)
        fitted = self.tied.problem.log_loss - self.tied.residuals
        targets, separate, at = [], np.zeros(resamples), 0
        for number, one in enumerate(self.each):
            n = len(one.problem)
            # As many residuals as parameters are as good as 0 by fitting, and tell nothing (see `spread.smoothed`).
            kept = np.argsort(np.abs(one.residuals))[min(len(one.x), n - 2) :]
            noise = draw.choice(one.residuals[kept], (resamples, n))
            targets.append(fitted[at : at + n] + noise)
            start = self.tied.x[self.joint.place(number)]
            separate += _least(replace(one.problem, log_loss=targets[-1]), [start, one.x])
            at += n
        together = replace(self.tied.problem, log_loss=np.concatenate(targets, axis=1))
        rises: FloatArray = _least(together, [self.tied.x]) - separate
        return rises


def _least(problem: Problem, starts: Sequence[FloatArray]) -> FloatArray:
    """The lowest objective that some starts lead to, for each of the problem's targets."""
    count = len(problem.log_loss)
    found = [minimize(problem, np.tile(one, (count, 1))).objective for one in starts]
    return np.asarray(np.min(found, axis=0), np.float64)
