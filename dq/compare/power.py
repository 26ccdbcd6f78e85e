"""Power: the smallest difference that a design detects, and the seeds that a margin needs.

Documents are held fixed: every run of the study has been scored on them. More seeds shrink the seed and the residual
variance; the document variance stays, so no number of seeds may suffice, and then that is the advice.
"""

from __future__ import annotations

import bisect

import numpy as np
from scipy import special

from dq.compare.anova import Components, Estimate, estimate
from dq.compare.results import MeanSquares, Power
from dq.compare.tables import FloatArray

POWER = 0.8
MIN_SEEDS = 3
MAX_SEEDS = 1_000
"""Past this the answer is documents, not seeds."""


def detectable_difference(found: Estimate, *, confidence: float, power: float = POWER) -> FloatArray:
    """The true difference whose interval excludes 0, on the right side, with probability ``power``.

    Through the noncentral t distribution (the usual sum of two t quantiles is 5 % too small at 2 degrees of freedom and
    95 % confidence, 19 % at 99.9 %), for each of the three intervals of which the longest decides; the largest is
    returned. A difference this large passes each of them with that probability, so the joint power is a little lower.

    Returns:
        float64 of the shape of ``found.variance``, in bits per byte.
    """
    standard_error = np.sqrt(found.variance)[..., None]
    # In units of the standard error; identical runs have none, and detect anything.
    safe = np.where(standard_error > 0, standard_error, 1.0)
    thresholds = found.half_widths(confidence) / safe
    # Above about 1e4 degrees of freedom the quantile is normal to six digits and the inverse loses accuracy.
    noncentrality = special.nctdtrinc(np.minimum(found.df, 1e4), 1 - power, thresholds)
    difference: FloatArray = noncentrality.max(-1) * standard_error[..., 0]
    return difference


def projected(squares: MeanSquares, *, n_seeds: int) -> Estimate:
    """The estimate that ``n_seeds`` would give if the variance components are as observed and documents stay.

    The expected document mean square is the residual's plus S times the document variance. A pooled seed mean square
    keeps its own ratio of degrees of freedom to seeds.
    """
    growth = n_seeds / squares.n_seeds
    df_growth = (n_seeds - 1) / (squares.n_seeds - 1)
    document = squares.residual + growth * (squares.document - squares.residual)
    return estimate(
        Components(
            mean_squares=np.array([squares.seed, max(document, 0.0), squares.residual]),
            df=np.array([squares.seed_df * df_growth, squares.document_df, squares.residual_df * df_growth]),
            n_seeds=n_seeds,
            n_documents=squares.n_documents,
        )
    )


def power_of(squares: MeanSquares, *, margin: float | None, confidence: float, power: float = POWER) -> Power:
    """What the observed spread can detect, and the seeds that would detect the margin."""
    smallest = float(
        detectable_difference(projected(squares, n_seeds=squares.n_seeds), confidence=confidence, power=power)
    )
    needed = None if margin is None else _seeds_needed(squares, margin=margin, confidence=confidence, power=power)
    return Power(
        smallest_detectable_difference=smallest,
        power=power,
        margin=margin,
        seeds_needed=needed,
        advice=_advice(squares, margin=margin, needed=needed),
    )


def _seeds_needed(squares: MeanSquares, *, margin: float, confidence: float, power: float) -> int | None:
    """The number of seeds that detects the margin where one fewer does not, by bisection."""

    def suffices(n_seeds: int) -> bool:
        found = projected(squares, n_seeds=n_seeds)
        return bool(detectable_difference(found, confidence=confidence, power=power) <= margin)

    if not suffices(MAX_SEEDS):
        return None
    return bisect.bisect_left(range(MAX_SEEDS), True, lo=MIN_SEEDS, key=suffices)


def _advice(squares: MeanSquares, *, margin: float | None, needed: int | None) -> str:
    if margin is None:
        return "name a margin to learn how many seeds it needs"
    if needed is None:
        return f"not even {MAX_SEEDS:,} seeds make {margin:g} bits per byte detectable: add held-out documents"
    if needed <= squares.n_seeds:
        return f"{squares.n_seeds} seeds suffice for {margin:g} bits per byte"
    return f"{needed} seeds would make {margin:g} bits per byte detectable; there are {squares.n_seeds}"
