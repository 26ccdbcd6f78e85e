"""Over-training: loss by compute and by tokens a parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

from dq.scaling.common import coefficient, exponent, floor
from dq.scaling.law import Form, Law, Parameter, Term
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray, Points


@final
class OverTraining(Law):
    """E + (a M^eta + b M^-eta) C^-eta, with M = D/N tokens a parameter and C = 6ND."""

    forms: ClassVar[Mapping[str, Form]] = {
        "gadre": Form(
            meaning="E + (a M^eta + b M^-eta)/C^eta, M = D/N, C = 6ND (Gadre 2024, arXiv 2403.08540)",
            example={"E": 1.5, "a": 140.0, "b": 180.0, "eta": 0.121},
        )
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """One exponent for all."""
        return (
            floor(),
            coefficient("a", "of the part that grows with tokens a parameter"),
            coefficient("b", "of the part that falls with them"),
            exponent("eta", "of compute", starts=(0.05, 0.1, 0.2, 0.5, 1.0)),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameters and tokens."""
        return ("n_params", "n_tokens")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor and both parts."""
        log_n, log_d = points.log("n_params"), points.log("n_tokens")
        log_m = log_d - log_n
        log_c = log_n + log_d + math.log(FLOPS_PER_PARAMETER_AND_TOKEN)
        return (
            Term(p["E"], {"E": 1.0}),
            Term(p["a"] + p["eta"] * (log_m - log_c), {"a": 1.0, "eta": log_m - log_c}),
            Term(p["b"] - p["eta"] * (log_m + log_c), {"b": 1.0, "eta": -(log_m + log_c)}),
        )
