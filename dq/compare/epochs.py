"""The value of epochs: what tokens seen again are worth in tokens seen for the first time.

D_eff / D of each run is its equivalence on the curve of the same text seen once: no law, and silent beyond that curve.
How fast it falls is told by one constant (`dq.compare.r_star`), fitted where runs have enough different epochs. Where
they did harm (less than their pool seen once) its law has nothing to say: those are named and left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.compare.equivalence import Equivalence, curve_of, tokens_to_match
from dq.compare.levels import ArmLosses, Losses
from dq.compare.r_star import RStar, effective_tokens, fit_r_star
from dq.compare.reference import Reference
from dq.results import Result

MIN_POINTS = 3
HARM = 1.1  # single runs have no interval: noise is not harm
EDGE = 1.001  # pools and budgets are exact to a document


@dataclass(frozen=True)
class Repeated:
    """Runs on a pool that is seen several times.

    Attributes:
        variant: name of the arm.
        n_tokens: D, their budget.
        epochs: k, as measured.
        losses: by seed.
    """

    variant: str
    n_tokens: float
    epochs: float
    losses: Losses

    @property
    def n_unique(self) -> float:
        """U, tokens of the pool."""
        return self.n_tokens / self.epochs


@dataclass(frozen=True, kw_only=True)
class EpochsValue(Result):
    """What one budget of repeated tokens is worth."""

    epochs: float
    n_unique: float
    worth: Equivalence
    """In fresh tokens: its ratio is D_eff / D."""
    harmful: bool
    """Whether it is worse than its pool seen once would be: more epochs did harm."""
    expected_loss: float | None
    """By R*; None where it was not fitted to this one."""


@dataclass(frozen=True, kw_only=True)
class ValueOfEpochs(Result):
    """Repeated text against the same text seen once."""

    fresh: str
    points: tuple[EpochsValue, ...]
    """By budget and epochs."""
    r_star: RStar | None
    missing: str | None
    """Why there is no R*."""

    def to_frame(self) -> pl.DataFrame:
        """A row a budget and number of epochs."""
        rows = [
            {"epochs": one.epochs, "n_unique": one.n_unique, **one.worth.to_dict(), "expected_loss": one.expected_loss}
            for one in self.points
        ]
        return pl.DataFrame(rows, infer_schema_length=None)


def value_of_epochs(fresh: ArmLosses, repeated: Sequence[Repeated], *, name: str) -> ValueOfEpochs:
    """Look repeated runs up on the curve of fresh ones, and fit R* to those that it holds.

    Args:
        fresh: losses of the same text seen once.
        repeated: runs of it seen several times, of the same size.
        name: of the fresh arm.

    Raises:
        CompareError: the fresh losses make no curve.
    """
    curve = curve_of(fresh)
    repeated = sorted(repeated, key=lambda one: (one.n_tokens, one.epochs))
    points = [
        EpochsValue(
            epochs=one.epochs,
            n_unique=one.n_unique,
            worth=(worth := tokens_to_match(fresh, one.losses, names=(one.variant, name), tokens=one.n_tokens)),
            harmful=_is_harmful(curve, worth, one.n_unique),
            expected_loss=None,
        )
        for one in repeated
    ]
    held = [number for number, one in enumerate(repeated) if _holds(curve, one) and not points[number].harmful]
    if len(held) < MIN_POINTS or len({round(repeated[number].epochs, 1) for number in held}) < 2:
        missing = (
            f"R* needs {MIN_POINTS} repeated runs of different epochs that did no harm, with pool and budget "
            f"between the budgets of {name}; there are {len(held)}"
        )
        return ValueOfEpochs(fresh=name, points=tuple(points), r_star=None, missing=missing)
    found = _fit(curve, [points[number] for number in held])
    for number in held:
        one = points[number]
        at = effective_tokens(np.array([one.n_unique]), np.array([one.epochs]), found.r_star)
        points[number] = dataclasses.replace(one, expected_loss=float(curve.loss_at(at)[0]))
    return ValueOfEpochs(fresh=name, points=tuple(points), r_star=found, missing=None)


def _holds(curve: Reference, one: Repeated) -> bool:
    """Whether the curve holds its D_eff whatever R* is: from its pool alone to its whole budget."""
    return bool(curve.tokens[0] <= EDGE * one.n_unique and one.n_tokens <= EDGE * curve.tokens[-1])


def _is_harmful(curve: Reference, worth: Equivalence, n_unique: float) -> bool:
    """Whether D_eff, or the upper end of its interval, is clearly below U: no R* can say that."""
    if worth.baseline_tokens is None:
        return bool(worth.loss > curve.losses[0])
    most = worth.baseline_tokens if worth.df is None else worth.high
    return most is not None and most < n_unique / HARM


def _fit(curve: Reference, points: Sequence[EpochsValue]) -> RStar:
    errors = [one.worth.error for one in points]
    known = [one for one in errors if one]
    return fit_r_star(
        curve,
        n_unique=np.array([one.n_unique for one in points]),
        epochs=np.array([one.epochs for one in points]),
        losses=np.array([one.worth.loss for one in points]),
        errors=np.array(known) if len(known) == len(errors) else None,
    )
