"""How a signature is cut into bands, and what that finds.

Two documents of similarity s agree in one value of their signatures with probability s, so with b bands of r rows they
become candidates with probability 1 - (1 - s^r)^b. Among all (b, r) with b * r <= num_perm the longest rows are taken
whose recall at the threshold reaches ``min_recall``: longer rows mean fewer candidates in vain, and verification
removes those. Before a candidate is verified its signatures are compared as a whole; pairs with fewer than
``min_matches`` equal values are skipped. At the threshold that loses a hundredth of what the bands may miss.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dq.dedup.config import DedupConfig
from dq.errors import ConfigError

SKIP_SHARE = 0.01  # of the permitted misses at the threshold: what the signature comparison may cause


@dataclass(frozen=True)
class Bands:
    """``bands`` bands of ``rows`` signature values, and the equal values (of ``num_perm``) a candidate must have."""

    bands: int
    rows: int
    num_perm: int
    min_matches: int

    def candidate_probability(self, similarity: float) -> float:
        """Probability that a pair of this similarity shares a band."""
        return float(1.0 - (1.0 - similarity**self.rows) ** self.bands)

    def recall(self, similarity: float) -> float:
        """At least this share of pairs of this similarity is verified (union bound over band and signature check)."""
        skipped = sum(_binomial(self.num_perm, similarity)[: self.min_matches])
        return max(0.0, self.candidate_probability(similarity) - skipped)

    def curve(self, similarities: Sequence[float] | None = None) -> pl.DataFrame:
        """The S-curve: similarity, candidate probability, probability of being verified."""
        points = list(similarities) if similarities is not None else [step / 20 for step in range(1, 21)]
        return pl.DataFrame(
            {
                "similarity": points,
                "candidate_probability": [self.candidate_probability(s) for s in points],
                "verified_probability": [self.recall(s) for s in points],
            }
        )


def choose_bands(config: DedupConfig) -> Bands:
    """The longest rows whose recall at the threshold is at least ``config.min_recall``.

    Raises:
        ConfigError: no bands of this signature reach it.
    """
    threshold, num_perm = config.threshold, config.num_perm
    cumulated = list(itertools.accumulate(_binomial(num_perm, threshold)))
    skipped = sum(below < SKIP_SHARE * (1 - config.min_recall) for below in cumulated)
    for rows in range(num_perm, 0, -1):
        found = Bands(num_perm // rows, rows, num_perm, max(1, skipped))
        likely = found.candidate_probability(threshold) >= config.min_recall
        if likely and found.recall(threshold) >= config.min_recall:
            return found
    best = max(Bands(num_perm // r, r, num_perm, max(1, skipped)).recall(threshold) for r in range(1, num_perm + 1))
    raise ConfigError(
        f"no bands of {num_perm} permutations find {config.min_recall:.3%} of the pairs at similarity {threshold}; "
        f"the best reach {best:.3%}: raise num_perm or lower min_recall"
    )


def _binomial(trials: int, probability: float) -> list[float]:
    """Probability of 0, 1, ... ``trials`` successes."""
    if probability >= 1:
        return [0.0] * trials + [1.0]
    if probability <= 0:
        return [1.0] + [0.0] * trials
    yes, no = math.log(probability), math.log1p(-probability)
    ways = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(trials + 1)]
    return [math.exp(way + k * yes + (trials - k) * no) for k, way in enumerate(ways)]
