"""Dunnett's quantile: how many standard errors hold several comparisons with one baseline together.

With k variants against one baseline, an interval of 95 % each leaves some variant's true difference outside 14 % of the
time for k = 3 and 35 % for k = 10. The differences share the baseline, so they are correlated (1/2 where all arms are
equally noisy), and the quantile of the largest |t| is smaller than Bonferroni's (Dunnett, JASA 50, 1955).

Computed by integration, so that any degrees of freedom and any correlation do: P(max |T_i| <= c) is the mean over the
common scale s and the baseline's z of [Phi((c s + sqrt(rho) z) / sqrt(1 - rho)) - Phi((-c s + ...) / ...)]^k.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import optimize, special

from dq.compare.tables import FloatArray

CORRELATION = 0.5
"""Of two paired differences with a common baseline, where every arm's own noise is alike."""
NODES = 64
MAX_DF = 1e4  # above it the quantile is that of normal variables to four digits


def many_to_one(confidence: float, *, df: FloatArray, comparisons: int, correlation: FloatArray) -> FloatArray:
    """The half-width, in standard errors, that holds all comparisons at once with this confidence.

    Args:
        confidence: such as 0.95.
        df: degrees of freedom of the common variance, any shape.
        comparisons: how many differences are judged together; 1 gives the quantile of t.
        correlation: between any two of them, from 0 to below 1, broadcast against ``df``.

    Returns:
        float64 of the shape of ``df``; six digits for 2 degrees of freedom and more.
    """
    if comparisons == 1:
        single: FloatArray = special.stdtrit(df, 0.5 + confidence / 2)
        return single
    degrees, correlations = np.broadcast_arrays(np.minimum(df, MAX_DF), correlation)
    found = [
        _quantile(confidence, df=float(d), comparisons=comparisons, correlation=float(rho))
        for d, rho in zip(degrees.ravel(), correlations.ravel(), strict=True)
    ]
    return np.array(found, np.float64).reshape(degrees.shape)


@functools.lru_cache(maxsize=4096)
def _quantile(confidence: float, *, df: float, comparisons: int, correlation: float) -> float:
    scale, z, weight = _nodes(df)
    shared, own = np.sqrt(correlation) * z, np.sqrt(1 - correlation)

    def missing(c: float) -> float:
        within = special.ndtr((c * scale + shared) / own) - special.ndtr((-c * scale + shared) / own)
        return float((weight * within**comparisons).sum()) - confidence

    # Between one comparison's quantile and Bonferroni's, with room for the integration's last digits.
    low, high = (special.stdtrit(df, 1 - (1 - confidence) / 2 / n) for n in (1, comparisons))
    return float(optimize.brentq(missing, 0.99 * low, 1.01 * high, xtol=1e-8))


@functools.lru_cache(maxsize=256)
def _nodes(df: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes of s = sqrt(chi2 / df), (n, 1), and of z, (n,), with their product weights (n, n)."""
    z, z_weight = np.polynomial.hermite_e.hermegauss(NODES)
    u, u_weight = np.polynomial.legendre.leggauss(NODES)
    scale = np.sqrt(2 * special.gammaincinv(df / 2, (u + 1) / 2) / df)
    return scale[:, None], z, np.outer(u_weight / 2, z_weight / z_weight.sum())
