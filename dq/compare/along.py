"""Two arms along budgets: where one overtakes the other, and how far apart they are on the whole.

A filter that wins at a small budget may lose at a large one (Mohri 2026, arXiv 2605.19407), so a difference at one
budget is half an answer. Between budgets the difference is a straight line in log tokens; beyond them nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.compare import seeds
from dq.compare.levels import ArmLosses, common_seeds
from dq.compare.tables import FloatArray
from dq.compare.words import signed, tokens_of
from dq.results import Result

PLACES = 401


@dataclass(frozen=True, kw_only=True)
class Along(Result):
    """A variant and the baseline at the budgets that both have."""

    variant: str
    baseline: str
    tokens: tuple[float, ...]
    differences: tuple[float, ...]
    """Variant minus baseline there: below 0 is better."""
    crossover: float | None
    """The budget at which the better arm changes; None where it does not, or changes more than once."""
    crossover_low: float | None
    """Budgets from here to ``crossover_high`` around it do not tell the arms apart; None: the budgets end before."""
    crossover_high: float | None
    mean: float
    """The area between the curves over the logarithm of the tokens, by its length: the difference on the whole."""
    mean_low: float | None
    """Its interval; None of single runs."""
    mean_high: float | None
    confidence: float
    n_seeds: int
    paired: bool

    @property
    def in_words(self) -> str:
        """Such as ``overtaken by raw at 190,000 tokens (150,000 to 240,000)`` or ``none in range (better)``."""
        signs = np.sign(self.differences)
        if self.crossover is None:
            if (signs < 0).all() or (signs > 0).all():
                return f"none in range ({'better' if signs[0] < 0 else 'worse'})"
            return "none: it changes more than once"
        what = f"overtaken by {self.baseline}" if self.differences[-1] > 0 else f"overtakes {self.baseline}"
        ends = [None if end is None else tokens_of(end) for end in (self.crossover_low, self.crossover_high)]
        if self.mean_low is None:
            around = "single runs"
        elif ends[0] and ends[1]:
            around = f"{ends[0]} to {ends[1]}"
        else:
            around = f"above {ends[0]}" if ends[0] else f"below {ends[1]}" if ends[1] else "anything in range"
        return f"{what} at {tokens_of(self.crossover)} tokens ({around})"

    @property
    def mean_in_words(self) -> str:
        """Such as ``-0.026 (-0.040 to -0.012)``."""
        if self.mean_low is None or self.mean_high is None:
            return f"{signed(self.mean)} (single runs)"
        return f"{signed(self.mean)} ({signed(self.mean_low)} to {signed(self.mean_high)})"

    def record(self) -> dict[str, object]:
        """Every field, and the words."""
        return {**super().record(), "in_words": self.in_words, "mean_in_words": self.mean_in_words}


def along_budgets(
    variant: ArmLosses, baseline: ArmLosses, *, names: tuple[str, str], confidence: float = 0.95
) -> Along | None:
    """Compare two arms along the budgets that both have; None where these are fewer than 2.

    Args:
        variant: losses of the variant.
        baseline: losses of the baseline.
        names: of both.
        confidence: of each interval.
    """
    both = sorted(set(variant.by_tokens) & set(baseline.by_tokens))
    if len(both) < 2:
        return None
    variant, baseline = (ArmLosses({tokens: arm.by_tokens[tokens] for tokens in both}) for arm in (variant, baseline))
    shared = common_seeds(*variant.by_tokens.values(), *baseline.by_tokens.values())
    if shared:
        variant, baseline = variant.only(shared), baseline.only(shared)
    tokens, differences = variant.tokens, variant.means - baseline.means
    area = _area_weights(tokens)
    widths = _half_widths(area[None], variant, baseline, paired=bool(shared), confidence=confidence)
    mean = float(area @ differences)
    changes = np.flatnonzero(np.diff(np.sign(differences)) != 0)
    crossover, low, high = None, None, None
    if len(changes) == 1:
        at = int(changes[0])
        share = differences[at] / (differences[at] - differences[at + 1])
        crossover = float(tokens[at] * (tokens[at + 1] / tokens[at]) ** share)
        places = np.union1d(np.geomspace(tokens[0], tokens[-1], PLACES), crossover)
        lines = _line_weights(places, tokens)
        around = _half_widths(lines, variant, baseline, paired=bool(shared), confidence=confidence)
        if around is not None:
            excess, start = np.abs(lines @ differences) - around, int(np.searchsorted(places, crossover))
            low = seeds.crossing(places, excess, range(start, -1, -1))
            high = seeds.crossing(places, excess, range(start, len(places)))
    return Along(
        variant=names[0],
        baseline=names[1],
        tokens=tuple(both),
        differences=tuple(differences.tolist()),
        crossover=crossover,
        crossover_low=low,
        crossover_high=high,
        mean=mean,
        mean_low=None if widths is None else mean - float(widths[0]),
        mean_high=None if widths is None else mean + float(widths[0]),
        confidence=confidence,
        n_seeds=min(len(runs) for arm in (variant, baseline) for runs in arm.by_tokens.values()),
        paired=bool(shared),
    )


def _half_widths(
    weights: FloatArray, variant: ArmLosses, baseline: ArmLosses, *, paired: bool, confidence: float
) -> FloatArray | None:
    """Of weighted sums of the differences over the budgets, (m, budgets); None of single runs."""
    if paired:
        spread = seeds.of_seeds(weights @ (variant.at(variant.seeds) - baseline.at(baseline.seeds)))
    else:
        found = seeds.apart([*seeds.weighted(weights, variant), *seeds.weighted(weights, baseline)])
        if found is None:
            return None
        spread = found
    return spread.half_widths(confidence)


def _area_weights(tokens: FloatArray) -> FloatArray:
    """Of each budget in the mean over log tokens, by trapezoids: (budgets,), summing to 1."""
    steps = np.diff(np.log(tokens))
    weights = np.zeros(len(tokens))
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    mean: FloatArray = weights / steps.sum()
    return mean


def _line_weights(places: FloatArray, tokens: FloatArray) -> FloatArray:
    """Of each budget at each place, on straight lines in log tokens: (m, budgets)."""
    logs = np.log(tokens)
    return np.stack([np.interp(np.log(places), logs, one) for one in np.eye(len(tokens))], axis=-1)
