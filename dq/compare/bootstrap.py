"""A bootstrap over held-out documents: the runs stay as they are.

It answers "would other documents agree?" and not "would other seeds?", so it is labelled "conditional on these runs"
and never decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dq.compare.anova import set_differences
from dq.compare.results import Interval
from dq.compare.tables import FloatArray

LABEL = "conditional on these runs"
CHUNK_CELLS = 2_000_000
"""Resampled documents held at once: 32 MB."""


def document_bootstrap(
    differences_bits: FloatArray,
    *,
    n_bytes: FloatArray,
    set_sizes: Sequence[int],
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """Percentile interval of the mean over sets of the difference in bits per byte, documents drawn within each set.

    Args:
        differences_bits: (S, N): bits of the variant minus bits of the baseline, sets one after another.
        n_bytes: (N,).
        set_sizes: documents of each set.
        confidence: such as 0.95.
        resamples: number of draws.
        seed: of the draws; the same seed and documents give the same interval.
    """
    over_seeds = differences_bits.mean(0)
    generator = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(set_sizes)[:-1]])
    chunk = max(1, CHUNK_CELLS // len(over_seeds))
    draws = []
    for done in range(0, resamples, chunk):
        rows = min(chunk, resamples - done)
        index = np.concatenate(
            [
                start + generator.integers(size, size=(rows, size))
                for start, size in zip(starts, set_sizes, strict=True)
            ],
            axis=-1,
        )
        by_set = set_differences(over_seeds[index], n_bytes=n_bytes[index], set_sizes=set_sizes)
        draws.append(by_set.mean(-1))
    sample = np.concatenate(draws)
    low, high = np.quantile(sample, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=confidence,
        standard_error=float(sample.std(ddof=1)),
        df=None,
        decided_by="documents",
        label=LABEL,
    )
