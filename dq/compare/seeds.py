"""The spread of a sum over budgets: which runs move together, and with how many degrees of freedom.

What is looked up or averaged along budgets is a weighted sum of mean losses. Of one seed all budgets move together
(they share initial weights, documents and often a trunk), so seeds are taken whole wherever they can be.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dq.compare.levels import ArmLosses
from dq.compare.tables import FloatArray


@dataclass(frozen=True)
class Spread:
    """Standard errors (m,) of sums at m places, and their degrees of freedom (m,)."""

    error: FloatArray
    df: FloatArray

    def half_widths(self, confidence: float) -> FloatArray:
        """Of the t intervals, (m,)."""
        widths: FloatArray = special.stdtrit(self.df, 0.5 + confidence / 2) * self.error
        return widths


def of_seeds(by_seed: FloatArray) -> Spread:
    """Of sums that every seed has by itself, (m, seeds)."""
    return Spread(_error(by_seed), np.full(len(by_seed), by_seed.shape[-1] - 1.0))


def weighted(weights: FloatArray, arm: ArmLosses) -> list[FloatArray]:
    """An arm's part of the sums, (m, runs) each: one of whole seeds, or one for every budget where these differ.

    Args:
        weights: of each of the arm's budgets at each place, (m, budgets).
        arm: its losses.
    """
    if arm.seeds:
        return [weights @ arm.at(arm.seeds)]
    return [
        column[:, None] * np.array(list(arm.by_tokens[tokens].values()))
        for column, tokens in zip(weights.T, arm.tokens, strict=True)
    ]


def apart(parts: Sequence[FloatArray]) -> Spread | None:
    """Of sums of parts, (m, runs) each, without runs in common, by Welch and Satterthwaite; None with a single run."""
    if min(part.shape[-1] for part in parts) < 2:
        return None
    variances = np.stack([_error(part) ** 2 for part in parts], axis=-1)
    dfs = np.array([part.shape[-1] - 1.0 for part in parts])
    total = variances.sum(-1)
    df = np.where(total > 0, total**2 / np.where(total > 0, (variances**2 / dfs).sum(-1), 1.0), dfs.min())
    return Spread(np.sqrt(total), df)


def _error(samples: FloatArray) -> FloatArray:
    """Standard error of the mean over the last axis."""
    error: FloatArray = samples.std(-1, ddof=1) / np.sqrt(samples.shape[-1])
    return error


def crossing(places: FloatArray, excess: FloatArray, steps: range) -> float | None:
    """Where the excess first rises above 0 on the way, between places in their logarithm; None where it does not."""
    for inside, at in itertools.pairwise(steps):
        if excess[at] > 0:
            within = min(float(excess[inside]), 0.0)  # above 0 in its last digits, where there is no noise
            share = within / (within - excess[at])
            return float(places[inside] * (places[at] / places[inside]) ** share)
    return None
