"""Noise as less text: a dose of it shrinks what the tokens are worth, not what they could reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import of_fresh_text
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points

ALL_NOISE = 1e-9  # of the text that is left where the dose is 1


@final
class NoiseExponent(Law):
    """E + A/N^alpha + B/(D^beta Q^gamma), with Q = 1 - dose."""

    forms: ClassVar[Mapping[str, Form]] = {
        "noise": Form(
            meaning="E + A/N^alpha + B/(D^beta (1 - dose)^gamma) (Subramanyam 2025, arXiv 2510.03313)",
            example={"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37, "gamma": 0.4},
        )
    }
    without_spread: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "n_params": {"A": 0.0, "alpha": 1.0},
        "dose": {"gamma": 0.0},
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Chinchilla's, and what noise costs."""
        return (
            *of_fresh_text(),
            Parameter(name="gamma", meaning="of the clean share", starts=(0.0, 0.5), low=-3.0, high=10.0),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters, tokens, and the share of them that is noise."""
        return ("n_params", "n_tokens", "dose")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor and both parts."""
        log_n, log_d = points.log("n_params"), points.log("n_tokens")
        log_q = np.log(np.maximum(1 - points["dose"], ALL_NOISE))
        slopes: Slopes = {"B": 1.0, "beta": -log_d, "gamma": -log_q}
        return (
            Term(p["E"], {"E": 1.0}),
            Term(p["A"] - p["alpha"] * log_n, {"A": 1.0, "alpha": -log_n}),
            Term(p["B"] - p["beta"] * log_d - p["gamma"] * log_q, slopes),
        )
