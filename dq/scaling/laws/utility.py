"""Repeated text by epoch: the exponent itself halves with every so many epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np

from dq.scaling.common import coefficient, exponent, floor
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points

NEGLIGIBLE = 1e-9  # share of the exponent that is left in an epoch


@final
class UtilityDecay(Law):
    """E + B U^-beta prod_j (n_j/n_(j-1))^(-beta_j), beta_j = beta 2^(-(j-1)/tau), n_j the tokens after epoch j."""

    forms: ClassVar[Mapping[str, Form]] = {
        "goyal": Form(
            meaning="E + B/D^beta, the exponent of epoch j being beta 2^(-(j-1)/tau) (Goyal 2024, arXiv 2404.07177)",
            example={"E": 1.9, "B": 1200.0, "beta": 0.33, "tau": 3.0},
        )
    }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """A curve's, and its half-life in epochs."""
        starts = tuple(math.log(one) for one in (0.5, 2.0, 8.0, 32.0))
        return (
            floor(),
            coefficient("B", "of the part that tokens reduce"),
            exponent("beta", "of tokens in the first epoch"),
            Parameter(
                name="tau",
                meaning="epochs in which it halves",
                starts=starts,
                low=math.log(0.05),
                high=math.log(200.0),
                is_log=True,
            ),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Tokens, and the distinct ones among these."""
        return ("n_tokens", "n_unique")

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor and the curve: its exponent times the logarithm of tokens that are worth as much."""
        log_worth, by_tau = _worth(points["n_tokens"] / points["n_unique"], p["tau"])
        log_worth = log_worth + points.log("n_unique")
        slopes: Slopes = {"B": 1.0, "beta": -log_worth, "tau": -p["beta"] * by_tau}
        return (Term(p["E"], {"E": 1.0}), Term(p["B"] - p["beta"] * log_worth, slopes))


def _worth(epochs: FloatArray, log_tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum over later epochs of their share of the exponent times log(n_j/n_(j-1)), (K, n); and its slope by log tau."""
    rate = math.log(2) / np.exp(log_tau)
    # In later epochs nothing of the exponent is left.
    most = min(int(epochs.max()), math.ceil(-math.log(NEGLIGIBLE) / float(rate.min())))
    done = np.arange(1, max(most, 1) + 1)
    whole = np.exp(-rate * done) * np.log1p(1 / done)
    full = np.minimum(np.floor(epochs).astype(np.int64), len(done))
    begun = np.exp(-rate * full) * np.log(np.minimum(epochs / full, 1 + 1 / full))
    before = full - 1  # epochs after the first that are complete
    before = np.broadcast_to(before, (len(rate), before.shape[-1]))
    sums, slopes = (
        np.take_along_axis(np.pad(np.cumsum(one, axis=1), ((0, 0), (1, 0))), before, axis=1)
        for one in (whole, rate * done * whole)
    )
    return sums + begun, slopes + rate * full * begun
