"""What a comparison returns: frozen records that turn into JSON."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from dq.results import Result


class Outcome(enum.StrEnum):
    """What a comparison says about a variant. Less loss is better."""

    BETTER = "better"
    """The interval lies wholly below 0."""
    WORSE = "worse"
    """The interval lies wholly above 0."""
    EQUIVALENT = "equivalent"
    """The interval lies inside the margin, on both sides."""
    UNDECIDED = "undecided"
    """The runs cannot tell: more seeds or documents would."""
    NO_VERDICT = "no verdict"
    """There are too few seeds or documents for an interval."""


DECIDED = (Outcome.BETTER, Outcome.WORSE, Outcome.EQUIVALENT)
"""Outcomes that more seeds are not asked for."""


@dataclass(frozen=True, kw_only=True)
class Interval(Result):
    """An interval of a difference in bits per byte."""

    low: float
    high: float
    confidence: float
    """Such as 0.95."""
    standard_error: float
    """Of the difference: seeds and documents together, at least either alone."""
    df: float | None
    """Degrees of freedom of what decided; None for a bootstrap."""
    decided_by: str
    """Of the t intervals from "seeds and documents", "seeds" alone and "documents" alone, the longest.

    The first is +-t(df) standard errors; the others use their factor's own, smaller standard error and fewer degrees
    of freedom.
    """
    label: str
    """What the reader must know: "paired" (this difference alone), "conditional on these runs" (a bootstrap), or how
    many variants it holds for together and whose spread it rests on."""


@dataclass(frozen=True, kw_only=True)
class MeanSquares(Result):
    """Observed mean squares of the seeds x documents layout, (bits per byte)^2, and their degrees of freedom."""

    seed: float
    document: float
    residual: float
    seed_df: float
    document_df: float
    residual_df: float
    n_seeds: int
    n_documents: int


@dataclass(frozen=True, kw_only=True)
class Power(Result):
    """What these seeds and documents can and could detect, with the interval that decides."""

    smallest_detectable_difference: float
    """Bits per byte: a true difference of this size gives an interval without 0 with probability ``power``."""
    power: float
    margin: float | None
    seeds_needed: int | None
    """Seeds after which the margin is detectable with the same documents; None: no number of them, or no margin."""
    seeds_needed_range: tuple[int | None, int | None]
    """The same at the ends of a 90 % interval of the spread: few seeds say little about how many are needed."""
    advice: str


@dataclass(frozen=True, kw_only=True)
class Comparison(Result):
    """One arm against the baseline on the mean of some held-out sets. Differences below 0 favour the variant."""

    variant: str
    baseline: str
    sets: tuple[str, ...]
    seed_pairs: tuple[tuple[int, int], ...]
    """(seed of the variant, seed of the baseline)."""
    n_documents: int
    n_bytes: int
    bits_per_byte: float
    """Level of the variant: mean over seeds and sets."""
    baseline_bits_per_byte: float
    difference: float
    """Variant minus baseline, bits per byte."""
    differences_by_seed: tuple[float, ...]
    """In the order of ``seed_pairs``; their mean is ``difference``."""
    mean_squares: MeanSquares | None
    """None with fewer than 2 seeds, or a set with fewer than 2 documents."""
    interval: Interval | None
    """From this pair's own spread, for this difference alone; None with fewer than 3 seeds."""
    family_interval: Interval | None
    """The one that decides in a study: it holds for all variants together; None outside a study."""
    bootstrap_interval: Interval | None
    """Over documents alone, conditional on these runs."""
    power: Power | None
    missing: str | None
    """Why there is no interval, or None."""

    @property
    def n_seeds(self) -> int:
        """The number of paired seeds."""
        return len(self.seed_pairs)


@dataclass(frozen=True, kw_only=True)
class Verdict(Result):
    """The answer about one variant, with its reason in plain words."""

    outcome: Outcome
    reason: str
    margin: float
    interval: Interval | None
    """The interval that decided."""


def joined(names: Sequence[str]) -> str:
    """Names for a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "none"
