"""Power: the smallest difference that a design detects, and the seeds that a margin needs.

Documents are held fixed: every run of the study has been scored on them. More seeds shrink the seed and the residual
variance; the document variance stays, so no number of seeds may suffice, and then that is the advice.
"""

from __future__ import annotations

import bisect
import dataclasses

import numpy as np
from scipy import special

from dq.compare.anova import Components, Estimate, estimate
from dq.compare.results import MeanSquares, Power
from dq.compare.tables import FloatArray

POWER = 0.8
MIN_SEEDS = 3
MAX_SEEDS = 1_000
"""Past this the answer is documents, not seeds."""


def detectable_difference(
    found: Estimate, *, confidence: float, power: float = POWER, comparisons: int = 1
) -> FloatArray:
    """The true difference whose interval excludes 0, on the right side, with probability ``power``.

    Through the noncentral t distribution (the usual sum of two t quantiles is 5 % too small at 2 degrees of freedom and
    95 % confidence, 19 % at 99.9 %), for each of the three intervals of which the longest decides; the largest is
    returned. A difference this large passes each of them with that probability, so the joint power is a little lower.
    Of several ``comparisons`` it is the power of each, with intervals that hold together.

    Returns:
        float64 of the shape of ``found.variance``, in bits per byte.
    """
    standard_error = np.sqrt(found.variance)[..., None]
    # In units of the standard error; identical runs have none, and detect anything.
    safe = np.where(standard_error > 0, standard_error, 1.0)
    thresholds = found.half_widths(confidence, comparisons=comparisons) / safe
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


def power_of(
    squares: MeanSquares, *, margin: float | None, confidence: float, power: float = POWER, comparisons: int = 1
) -> Power:
    """What the observed spread can detect, and the seeds that would detect the margin."""

    def detectable(some: MeanSquares, n_seeds: int) -> float:
        found = projected(some, n_seeds=n_seeds)
        return float(detectable_difference(found, confidence=confidence, power=power, comparisons=comparisons))

    def needed(some: MeanSquares) -> int | None:
        """The number of seeds that detects the margin where one fewer does not, by bisection."""
        if margin is None or detectable(some, MAX_SEEDS) > margin:
            return None
        return bisect.bisect_left(
            range(MAX_SEEDS), True, lo=MIN_SEEDS, key=lambda n_seeds: detectable(some, n_seeds) <= margin
        )

    low, high = (dataclasses.replace(squares, seed=squares.seed * factor) for factor in variance_range(squares.seed_df))
    between = needed(low), needed(high)
    return Power(
        smallest_detectable_difference=detectable(squares, squares.n_seeds),
        power=power,
        margin=margin,
        seeds_needed=(found := needed(squares)),
        seeds_needed_range=between,
        advice=_advice(squares, margin=margin, needed=found, between=between),
    )


def variance_range(df: float) -> tuple[float, float]:
    """Where a true variance lies with 90 %, in units of one estimated with ``df`` degrees of freedom (chi-squared)."""
    return df / float(special.chdtri(df, 0.05)), df / float(special.chdtri(df, 0.95))


def detectable_at(sd: float, *, df: float, n_seeds: int, comparisons: int = 1, confidence: float = 0.95) -> float:
    """The smallest difference that a design of so many seeds detects with 80 % power, documents not counted.

    Args:
        sd: over seeds, of a paired difference, bits per byte.
        df: degrees of freedom that the interval will have: `pooled_df` where variants share their spread.
        n_seeds: of every arm.
        comparisons: variants that are judged together.
        confidence: of the interval that decides.
    """
    variance = np.array([0.0, sd**2 / n_seeds, 0.0])
    found = Estimate(variances=variance, df=np.full(3, float(df)))
    return float(detectable_difference(found, confidence=confidence, comparisons=comparisons))


def seeds_in_words(needed: int | None, between: tuple[int | None, int | None]) -> str:
    """Such as ``34 (likely 12 to 91)``."""
    low, high = between
    if needed is None:
        return f"more than {MAX_SEEDS:,}" + (f" (perhaps {low:,})" if low is not None else "")
    return f"{needed:,} (likely {low:,} to {f'{high:,}' if high is not None else f'over {MAX_SEEDS:,}'})"


def _advice(
    squares: MeanSquares, *, margin: float | None, needed: int | None, between: tuple[int | None, int | None]
) -> str:
    if margin is None:
        return "name a margin to learn how many seeds it needs"
    if needed is None:
        return f"not even {MAX_SEEDS:,} seeds make {margin:g} bits per byte detectable: add held-out documents"
    if needed <= squares.n_seeds:
        return f"{squares.n_seeds} seeds suffice for {margin:g} bits per byte"
    words = seeds_in_words(needed, between)
    return f"{words} seeds would make {margin:g} bits per byte detectable; there are {squares.n_seeds}"
