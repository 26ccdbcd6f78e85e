"""A law as the fit has it and as its refits have it: one row each, so that whatever is asked has an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dq.errors import FitError
from dq.scaling.fit import Fit
from dq.scaling.law import LARGEST_LOG
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray, Points, compute_of

RESAMPLES = 500
LEAST, MOST = 1.0, 1e22
"""Tokens between which a target is sought."""
LEAST_PARAMS, MOST_PARAMS = 1e3, 1e15
HALVINGS = 44
"""Of 51 in log tokens: to 3e-12."""
GRID, FINE = 241, 41


@dataclass(frozen=True)
class Surface:
    """A law at K parameter vectors: the fit's own first, then those of its refits to resampled runs.

    Attributes:
        fit: what was fitted.
        theta: (K, P), all parameters as the solver has them.
    """

    fit: Fit
    theta: FloatArray

    @classmethod
    def of(cls, fit: Fit, *, resamples: int = RESAMPLES, seed: int = 0) -> Surface:
        """The surface of a fit; runs are drawn whole."""
        solution = fit.solution
        draws = fit.bootstrap(resamples=resamples, seed=seed).draws
        return cls(fit, solution.problem.space.all_of(np.concatenate([solution.x[None], draws])))

    @property
    def largest_compute(self) -> float:
        """Training FLOPs of the largest run that was fitted."""
        return float(compute_of(self.fit.table.frame).max())

    def reads(self, column: str) -> bool:
        """Whether the law reads a column."""
        return column in self.fit.solution.problem.law.columns

    def require_sizes(self) -> None:
        """Raise FitError where the law knows no sizes, and so no best one."""
        if not self.reads("n_params"):
            raise FitError(
                f"law `{self.fit.law}` knows nothing of sizes; take one that reads `n_params`, such as chinchilla",
                field="law",
            )

    def loss(self, columns: Mapping[str, FloatArray | float]) -> FloatArray:
        """The loss in nats, (K, n).

        Args:
            columns: by name, of shapes (n,), (K, n) or none. What is not stated is that of fresh, clean text:
                ``n_unique`` all tokens, ``epochs`` those that follow, ``dose`` 0.

        Raises:
            FitError: the law reads a column that is not there.
        """
        law = self.fit.solution.problem.law
        stated = {name: np.asarray(value, np.float64) for name, value in columns.items()}
        tokens = stated.get("n_tokens", np.float64(np.nan))
        filled = {"n_unique": tokens, "dose": np.float64(0.0), **stated}
        filled.setdefault("epochs", tokens / filled["n_unique"])
        if missing := [name for name in law.columns if name not in filled]:
            raise FitError(f"law `{self.fit.law}` reads `{missing[0]}`, which this plan does not state", field="law")
        names = [one.name for one in law.parameters]
        p = {name: self.theta[:, at : at + 1] for at, name in enumerate(names)}
        shape = np.broadcast_shapes(*(filled[name].shape for name in law.columns))
        whole = {name: np.broadcast_to(filled[name], shape or (1,)) for name in law.columns}
        total = np.zeros(1)
        with np.errstate(invalid="ignore"):  # where there is no size there is no loss
            for term in law.terms(Points(whole), p):
                total = total + np.exp(np.minimum(term.log, LARGEST_LOG))
        return np.broadcast_to(total, np.broadcast_shapes(total.shape, (len(self.theta), 1)))

    def tokens_to_match(self, target: FloatArray, columns: Mapping[str, FloatArray | float]) -> FloatArray:
        """Fresh tokens at which the loss is the target: (K, n), NaN where none are enough.

        Args:
            target: losses, of a shape that broadcasts to (K, n).
            columns: all others that the law reads.
        """
        shape = np.broadcast_shapes(
            (len(self.theta), 1), np.shape(target), *(np.shape(value) for value in columns.values())
        )
        low, high = np.full(shape, np.log(LEAST)), np.full(shape, np.log(MOST))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = self.loss({**columns, "n_tokens": np.exp(middle)}) <= target
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        inside = (high < np.log(MOST) - 1e-6) & (low > np.log(LEAST) + 1e-6)
        return np.where(inside, np.exp((low + high) / 2), np.nan)


def least_over_sizes(of_params: Callable[[FloatArray], FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The size at which something is least, and that least, a row: (K,) each, NaN where it is at an end of all sizes.

    Args:
        of_params: (n,) or (K, n) sizes to (K, n) values; smooth, with one minimum.
    """
    coarse = np.linspace(np.log(LEAST_PARAMS), np.log(MOST_PARAMS), GRID)
    values = of_params(np.exp(coarse))
    at = np.argmin(np.where(np.isnan(values), np.inf, values), axis=1)
    inside = (at > 0) & (at < GRID - 1)
    step = coarse[1] - coarse[0]
    fine = coarse[at][:, None] + np.linspace(-step, step, FINE)
    values = of_params(np.exp(fine))
    best = np.argmin(np.where(np.isnan(values), np.inf, values), axis=1)
    middle = np.clip(best, 1, FINE - 2)
    rows = np.arange(len(values))
    left, here, right = (values[rows, middle + shift] for shift in (-1, 0, 1))
    bend = left - 2 * here + right
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(bend > 0, 0.5 * (left - right) / bend, 0.0)
    size = np.exp(fine[rows, middle] + np.clip(shift, -1, 1) * 2 * step / (FINE - 1))
    least = here - np.where(bend > 0, 0.125 * (left - right) ** 2 / np.where(bend > 0, bend, 1), 0.0)
    return np.where(inside, size, np.nan), np.where(inside, least, np.nan)


def training_flops(n_params: FloatArray | float, n_tokens: FloatArray | float) -> FloatArray:
    """6 N D."""
    return np.asarray(FLOPS_PER_PARAMETER_AND_TOKEN * np.asarray(n_params) * np.asarray(n_tokens))
