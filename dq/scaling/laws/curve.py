"""One curve of the loss along tokens: a single size, or a single run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import coefficient, exponent, floor
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points


@final
class Curve(Law):
    """E + B/(D + D0)^beta: E is the floor at this size, A/N^alpha included, and not the text's."""

    forms: ClassVar[Mapping[str, Form]] = {
        "curve": Form(
            meaning="E + B/D^beta at one size; E holds A/N^alpha too",
            example={"E": 2.6, "B": 2000.0, "beta": 0.36},
            fixed={"D0": 0.0},
        ),
        "shifted_curve": Form(
            meaning="E + B/(D + D0)^beta at one size: early training follows no power law",
            example={"E": 2.6, "B": 2000.0, "beta": 0.36, "D0": 2e8},
        ),
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """A power law with offsets on both axes."""
        return (
            floor(meaning="at this size"),
            coefficient("B", "of the part that tokens reduce"),
            exponent("beta", "of tokens"),
            Parameter(name="D0", meaning="tokens", starts=(5.0, 12.0, 19.0), low=-5.0, high=35.0, is_log=True),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Tokens."""
        return ("n_tokens",)

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor and the power."""
        log_d = np.logaddexp(points.log("n_tokens"), p["D0"])
        slopes: Slopes = {"B": 1.0, "beta": -log_d, "D0": -p["beta"] * np.exp(p["D0"] - log_d)}
        return (Term(p["E"], {"E": 1.0}), Term(p["B"] - p["beta"] * log_d, slopes))
