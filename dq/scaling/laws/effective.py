"""Repeated text as less fresh text: every repetition adds less, towards a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import of_fresh_text
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points


@final
class EffectiveData(Law):
    """E + A/N'^alpha + B/D'^beta, with D' = U [1 + R_D (1 - exp(-R/R_D))] for R repetitions of U unique tokens.

    N' is the same of N with R_N, counted from the size that is optimal for U fresh tokens: beyond it, parameters are
    worth less too.
    """

    forms: ClassVar[Mapping[str, Form]] = {
        "muennighoff": Form(
            meaning="E + A/N'^alpha + B/D'^alpha, repetitions decay by R_D, excess parameters by R_N "
            "(Muennighoff 2023, arXiv 2305.16264)",
            # The paper's; its R_D is barely determined by its runs.
            example={
                "E": float(np.exp(0.6254804)),
                "A": float(np.exp(6.255414)),
                "B": float(np.exp(7.3049974)),
                "alpha": 0.3526596,
                "R_D": 15.387756,
                "R_N": 5.309743,
            },
            tied={"beta": "alpha"},
        )
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Chinchilla's, and how many repetitions are worth something."""
        return (
            *of_fresh_text(),
            _limit("R_D", "repetitions that tokens are worth at most"),
            _limit("R_N", "the same for excess parameters"),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters, tokens, and the distinct ones among these."""
        return ("n_params", "n_tokens", "n_unique")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor, and both parts in effective numbers."""
        log_u = points.log("n_unique")
        data = _decayed(points["n_tokens"] / points["n_unique"] - 1, p["R_D"])
        log_d = log_u + data.log
        optimal = (np.log(p["alpha"] / p["beta"]) + p["A"] - p["B"] + p["beta"] * log_u) / p["alpha"]
        log_n = points.log("n_params")
        unique = np.minimum(optimal, log_n)
        excess = np.exp(log_n - unique) - 1
        size = _decayed(excess, p["R_N"])
        # Along the unique size: it multiplies N', and lowers the excess. No slope where all parameters are in use.
        by_unique = np.where(optimal < log_n, 1 - size.slope * (excess + 1), 0.0)
        by_size = -p["alpha"] * by_unique
        slopes_n: Slopes = {
            "A": 1 + by_size / p["alpha"],
            "B": -by_size / p["alpha"],
            "alpha": -(unique + size.log) + by_size * (1 / p["alpha"] - optimal) / p["alpha"],
            "beta": by_size * (log_u - 1 / p["beta"]) / p["alpha"],
            "R_N": -p["alpha"] * size.by_limit,
        }
        slopes_d: Slopes = {"B": 1.0, "beta": -log_d, "R_D": -p["beta"] * data.by_limit}
        return (
            Term(p["E"], {"E": 1.0}),
            Term(p["A"] - p["alpha"] * (unique + size.log), slopes_n),
            Term(p["B"] - p["beta"] * log_d, slopes_d),
        )


def _limit(name: str, meaning: str) -> Parameter:
    starts = tuple(math.log(one) for one in (1.0, 5.0, 20.0, 100.0))
    return Parameter(name=name, meaning=meaning, starts=starts, low=math.log(1e-2), high=math.log(1e5), is_log=True)


@dataclass(frozen=True)
class _Decayed:
    """log(1 + L (1 - exp(-r/L))), by r and by log L."""

    log: FloatArray
    slope: FloatArray
    by_limit: FloatArray


def _decayed(repetitions: FloatArray, log_limit: FloatArray) -> _Decayed:
    limit = np.exp(log_limit)
    share = np.exp(-repetitions / limit)
    worth = -limit * np.expm1(-repetitions / limit)
    return _Decayed(np.log1p(worth), share / (1 + worth), (worth - repetitions * share) / (1 + worth))
