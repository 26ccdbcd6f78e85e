"""Loss by parameters and tokens: the family of Chinchilla, Kaplan and the coupled law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import of_fresh_text
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points


@final
class Coupled(Law):
    """E + (A/N^alpha + B/D^beta)^k: the published laws of fresh text differ in what of it is free."""

    forms: ClassVar[Mapping[str, Form]] = {
        "chinchilla": Form(
            meaning="E + A/N^alpha + B/D^beta (Hoffmann 2022, arXiv 2203.15556)",
            example={"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},  # Besiroglu 2024
            fixed={"k": 1.0},
        ),
        "kaplan": Form(
            meaning="(A/N^alpha + B/D)^k (Kaplan 2020, arXiv 2001.08361)",
            example={"A": 6.4e13 ** (0.076 / 0.103), "B": 1.8e13, "alpha": 0.076 / 0.103, "k": 0.103},
            fixed={"E": 0.0, "beta": 1.0},
        ),
        "coupled": Form(
            meaning="E + (A/N^alpha + B/D^beta)^k (Skaling 2026, arXiv 2608.07222)",
            example={"E": 1.757, "A": 2305.0, "B": 9957.0, "alpha": 0.4244, "beta": 0.4305, "k": 0.774},
        ),
    }
    # At one size the part of N is a constant, which E takes in; then k and beta are one exponent.
    without_spread: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "n_params": {"A": 0.0, "alpha": 1.0, "k": 1.0},
        "n_tokens": {"B": 0.0, "beta": 1.0, "k": 1.0},
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Five numbers, and what couples them."""
        return (
            *of_fresh_text(),
            Parameter(name="k", meaning="coupling; 1 is none", starts=(0.3, 0.6, 1.0), low=0.02, high=5.0),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters and tokens."""
        return ("n_params", "n_tokens")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor, and the power of a sum."""
        log_n, log_d = points.log("n_params"), points.log("n_tokens")
        of_n, of_d = p["A"] - p["alpha"] * log_n, p["B"] - p["beta"] * log_d
        both = np.logaddexp(of_n, of_d)
        share_n, share_d = p["k"] * np.exp(of_n - both), p["k"] * np.exp(of_d - both)
        slopes: Slopes = {"A": share_n, "B": share_d, "alpha": -log_n * share_n, "beta": -log_d * share_d, "k": both}
        return (Term(p["E"], {"E": 1.0}), Term(p["k"] * both, slopes))
