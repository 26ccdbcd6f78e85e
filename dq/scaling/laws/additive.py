"""Repeated text as a penalty of its own, which can outgrow what more tokens gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import coefficient, exponent, of_fresh_text
from dq.scaling.law import Form, Law, Parameter, Term
from dq.scaling.points import FloatArray, Points


@final
class AdditivePenalty(Law):
    """E + A/N^alpha + B/D^beta + P R^delta (N/U)^kappa for R repetitions of U unique tokens."""

    forms: ClassVar[Mapping[str, Form]] = {
        "lovelace": Form(
            meaning="E + A/N^alpha + B/D^beta + P R^delta (N/U)^kappa: loss can rise again (Lovelace 2026, "
            "arXiv 2605.01640)",
            example={
                "E": 1.9,
                "A": 520.0,
                "B": 1500.0,
                "alpha": 0.35,
                "beta": 0.35,
                "P": 0.01,
                "delta": 0.9,
                "kappa": 0.5,
            },
        )
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Chinchilla's, and the penalty's."""
        return (
            *of_fresh_text(),
            coefficient("P", "of the penalty", starts=(-8.0, -4.0, 0.0)),
            exponent("delta", "of repetitions in the penalty", starts=(0.5, 1.0)),
            exponent("kappa", "of parameters per unique token in the penalty", starts=(0.0, 0.5)),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters, tokens, and the distinct ones among these."""
        return ("n_params", "n_tokens", "n_unique")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor, both parts, and the penalty, which is absent without repetition."""
        log_n, log_d, log_u = (points.log(name) for name in self.columns)
        repetitions = points["n_tokens"] / points["n_unique"] - 1
        repeated = repetitions > 0
        log_r = np.log(np.where(repeated, repetitions, 1.0))
        penalty = np.where(repeated, p["P"] + p["delta"] * log_r + p["kappa"] * (log_n - log_u), -np.inf)
        return (
            Term(p["E"], {"E": 1.0}),
            Term(p["A"] - p["alpha"] * log_n, {"A": 1.0, "alpha": -log_n}),
            Term(p["B"] - p["beta"] * log_d, {"B": 1.0, "beta": -log_d}),
            Term(penalty, {"P": 1.0, "delta": log_r, "kappa": log_n - log_u}),
        )
