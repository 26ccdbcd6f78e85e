"""Loss that starts at chance: for models so small or so little trained that a power law would lie above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import polars as pl

from dq.scaling.common import coefficient, exponent, floor
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points


@final
@dataclass(frozen=True)
class Bounded(Law):
    """E + (L0 - E) h/(1 + h), h = A/N^alpha + B/D^beta + C N^gamma/U^delta; L0 is chance, ln(vocabulary).

    The last part is there where the runs say how many of their tokens are unique.
    """

    repeats: bool = True

    forms: ClassVar[Mapping[str, Form]] = {
        "bounded": Form(
            meaning="E + (L0 - E) h/(1 + h), h = A/N^alpha + B/D^beta + C N^gamma/U^delta (Bryant & Liu 2026, "
            "arXiv 2605.09189); fix L0 to ln(vocabulary)",
            example={
                "E": 1.6,
                "A": 60.0,
                "B": 250.0,
                "alpha": 0.3,
                "beta": 0.33,
                "C": 0.5,
                "gamma": 0.6,
                "delta": 0.6,
            },
            fixed={"L0": float(np.log(50_257))},
        )
    }

    @classmethod
    def for_runs(cls, runs: pl.DataFrame) -> Bounded:
        """With the part of repetition where the runs know unique tokens."""
        return cls(repeats="n_unique" in runs.columns)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Both ends, and the parts of what lies between."""
        chance = Parameter(name="L0", meaning="loss at chance", starts=(2.0, 2.4), low=0.5, high=3.0, is_log=True)
        parts = (
            coefficient("A", "of the part that parameters reduce"),
            coefficient("B", "of the part that tokens reduce"),
            exponent("alpha", "of parameters"),
            exponent("beta", "of tokens"),
        )
        overfitting = (
            coefficient("C", "of the part that repetition adds", starts=(-5.0, 0.0)),
            exponent("gamma", "of parameters in it", starts=(0.3, 0.8)),
            exponent("delta", "of unique tokens in it", starts=(0.3, 0.8)),
        )
        return (floor(), chance, *parts, *(overfitting if self.repeats else ()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters, tokens, and the distinct ones among these if known."""
        return ("n_params", "n_tokens", *(("n_unique",) if self.repeats else ()))

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """E/(1 + h) and L0 h/(1 + h), which is the same and a sum of positive terms."""
        log_n, log_d = points.log("n_params"), points.log("n_tokens")
        parts = [
            Term(p["A"] - p["alpha"] * log_n, {"A": 1.0, "alpha": -log_n}),
            Term(p["B"] - p["beta"] * log_d, {"B": 1.0, "beta": -log_d}),
        ]
        if self.repeats:
            log_u = points.log("n_unique")
            slopes: Slopes = {"C": 1.0, "gamma": log_n, "delta": -log_u}
            parts.append(Term(p["C"] + p["gamma"] * log_n - p["delta"] * log_u, slopes))
        log_h = parts[0].log
        for part in parts[1:]:
            log_h = np.logaddexp(log_h, part.log)
        above = 1 / (1 + np.exp(-log_h))  # h / (1 + h)
        by_h = {name: np.exp(part.log - log_h) * slope for part in parts for name, slope in part.slopes.items()}
        log_below = -np.logaddexp(0.0, log_h)
        return (
            Term(p["E"] + log_below, {"E": 1.0, **{name: -above * slope for name, slope in by_h.items()}}),
            Term(
                p["L0"] + log_h + log_below, {"L0": 1.0, **{name: (1 - above) * slope for name, slope in by_h.items()}}
            ),
        )
