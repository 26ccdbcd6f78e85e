"""What a metric is good for: how far it tells arms apart, and the chance of one success in several tries."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from dq.errors import CompareError


def signal_to_noise(finals: Sequence[float], last_checkpoints: Sequence[float]) -> float:
    """How far arms lie apart on a metric, in units of how much it jumps between the last checkpoints of one run.

    Signal is the largest difference between two arms, noise the population standard deviation over checkpoints, both
    relative to their mean (Signal and Noise, allenai 2025).

    Args:
        finals: the metric of each arm at the end, at least 2.
        last_checkpoints: the metric at the last checkpoints of one run, at least 2.

    Raises:
        CompareError: there are too few, or checkpoints do not differ at all.
    """
    arms, noise = np.asarray(finals, np.float64), np.asarray(last_checkpoints, np.float64)
    if len(arms) < 2 or len(noise) < 2:
        raise CompareError(f"signal needs 2 arms and noise 2 checkpoints; there are {len(arms)} and {len(noise)}")
    if noise.std() == 0:
        raise CompareError("the metric is the same at all checkpoints: its noise is unknown; give more of them")
    return float((np.ptp(arms) / abs(arms.mean())) / (noise.std() / abs(noise.mean())))


def pass_at_k(tries: int, successes: int, *, k: int) -> float:
    """The chance of at least one success in k tries, without bias: 1 - C(n - c, k) / C(n, k) (arXiv 2107.03374).

    Raises:
        CompareError: there are fewer than k tries, or more successes than tries.
    """
    if not (0 <= successes <= tries and 1 <= k <= tries):
        raise CompareError(f"{successes} successes in {tries} tries do not tell the chance in {k}; lower k")
    return 1 - comb(tries - successes, k) / comb(tries, k)
