"""Repeat or add noise: what repeated and what noisy tokens are worth in fresh, clean ones, at the same loss.

Both are compared by the tokens of fresh text that would reach their loss. Neither the law's floor nor its level enters,
so a law of repetition and a law of noise may come of different runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.errors import FitError
from dq.scaling.plans.epochs import most_epochs_of, require_repetition
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import Surface
from dq.scaling.points import FloatArray

DOSES = np.linspace(0.0, 0.995, 200)


@dataclass(frozen=True, kw_only=True)
class RepeatOrNoise(Reply):
    """For one number of epochs: their worth, and the dose of noise at which fresh text is worth no more.

    Attributes:
        law: of repetition.
        epochs: how often the good pool is seen.
        n_params: of the model.
        unique_tokens: of the good pool; in either case epochs times as many tokens are seen.
        worth: fresh tokens that reach the same loss, as a share of the tokens seen.
        dose: share of noise at which as many tokens, each seen once, reach the same loss. Below it noisy text is
            better, above it repetition. None: even the largest dose is better than repeating.
        noise: the law of noise, or the exponent that was assumed; empty where there is neither, and no dose then.
        most_epochs: of the runs that were fitted.
    """

    law: str
    epochs: float
    n_params: float
    unique_tokens: float
    worth: Quantity
    dose: Quantity
    noise: str
    most_epochs: float

    @property
    def question(self) -> str:
        """As a user would ask it."""
        pool = f"{short(self.unique_tokens)} good tokens ({short(self.n_params)} parameters)"
        return f"Repeat {pool} or add worse text?" if self.noise else f"What are epochs of {pool} worth?"

    @property
    def in_words(self) -> str:
        """When to repeat."""
        words = f"law `{self.law}`: {self.epochs:g} epochs are worth {self.worth.in_words('%')} of as many new tokens"
        if not self.noise:
            return words
        if self.dose.value is None:
            return f"{words}; new text is better whatever its noise ({self.noise})"
        return f"{words}; new text with less noise than {self.dose.in_words('%')} is better ({self.noise})"

    @property
    def caution(self) -> str:
        """Whether runs saw their text as often."""
        if self.epochs <= self.most_epochs:
            return ""
        return f"no run saw its text more than {short(self.most_epochs)} times: beyond, nothing is known of epochs"


def repeat_or_noise(
    repetition: Surface,
    noise: Surface | float | None,
    *,
    n_params: float,
    unique_tokens: float,
    epochs: Sequence[float],
) -> tuple[RepeatOrNoise, ...]:
    """Compare more epochs of good text with one epoch of worse text.

    Args:
        repetition: a law of repetition.
        noise: a law that reads ``dose``; or the noise exponent gamma of B / (D^beta Q^gamma), Q = 1 - dose, with the
            beta of the law of repetition (Subramanyam 2025 found about 0.4 for replaced tokens); None: only what epochs
            are worth.
        n_params: of the model.
        unique_tokens: of the good pool.
        epochs: numbers of epochs, each above 1.

    Raises:
        FitError: a law knows nothing of repetition or of noise.
    """
    require_repetition(repetition)
    found = []
    for k in epochs:
        seen = k * unique_tokens
        repeated = repetition.loss({"n_params": n_params, "n_tokens": seen, "n_unique": unique_tokens})
        worth = (repetition.tokens_to_match(repeated, {"n_params": n_params}) / seen)[:, 0]
        if isinstance(noise, Surface):
            dose, named = _dose_of(noise, worth, n_params=n_params, seen=seen), f"law `{noise.fit.law}`"
        elif noise is None:
            dose, named = np.full_like(worth, np.nan), ""
        else:
            dose, named = 1 - worth ** (_beta(repetition) / noise), f"a noise exponent of {noise:g}"
        found.append(
            RepeatOrNoise(
                law=repetition.fit.law,
                epochs=k,
                n_params=n_params,
                unique_tokens=unique_tokens,
                worth=Quantity.of(worth),
                dose=Quantity.of(dose),
                noise=named,
                most_epochs=most_epochs_of(repetition),
            )
        )
    return tuple(found)


def _dose_of(noise: Surface, worth: FloatArray, *, n_params: float, seen: float) -> FloatArray:
    """The dose at which noisy tokens are worth a share of clean ones; refits of the two laws are drawn apart."""
    if not noise.reads("dose"):
        raise FitError(f"law `{noise.fit.law}` knows nothing of noise; fit one that reads `dose`", field="law")
    noisy = noise.loss({"n_params": n_params, "n_tokens": seen, "dose": DOSES})
    shares = noise.tokens_to_match(noisy, {"n_params": n_params}) / seen
    count = min(len(worth), len(shares))
    return np.array([_first_at_most(shares[row], worth[row]) for row in range(count)])


def _first_at_most(shares: FloatArray, worth: float) -> float:
    """Where falling shares cross a worth, between two doses; NaN where they do not."""
    below = np.flatnonzero(shares <= worth)
    if not len(below) or np.isnan(worth):
        return float("nan")
    at = int(below[0])
    if at == 0:
        return 0.0
    left, right = shares[at - 1], shares[at]
    return float(DOSES[at - 1] + (DOSES[at] - DOSES[at - 1]) * (left - worth) / (left - right))


def _beta(surface: Surface) -> FloatArray:
    names = [one.name for one in surface.fit.solution.problem.law.parameters]
    if "beta" not in names:
        raise FitError(
            f"law `{surface.fit.law}` has no exponent `beta` of tokens; give a law of noise in place of an exponent",
            field="law",
        )
    beta: FloatArray = surface.theta[:, names.index("beta")]
    return beta
