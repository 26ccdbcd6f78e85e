"""How far the objective may rise before a law no longer fits the runs: what intervals of parameters rest on.

The Huber loss is no likelihood, so its rise is scaled by what the residuals themselves say: twice the rise, times
E[psi'] / E[psi^2], follows F(1, n - p) (the tau test of robust regression: Ronchetti 1982; Hampel et al. 1986, 7.2).
With a delta far below the residuals this is the test of least absolute deviations, with one far above them the F test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from dq.scaling.points import FloatArray, IntArray

NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class Spread:
    """The noise of runs about a law, as the objective feels it.

    Attributes:
        psi_squared: mean of the squared slope of the Huber loss.
        psi_slope: mean of its second derivative.
        df: runs less fitted parameters.
        sd: robust standard deviation of log loss about the law: noise of one more run.
    """

    psi_squared: float
    psi_slope: float
    df: int
    sd: float

    def allowed_rise(self, level: float) -> float:
        """How far the objective may rise within an interval for one number."""
        return float(0.5 * special.fdtri(1, self.df, level) * self.psi_squared / self.psi_slope)

    @property
    def tau(self) -> float:
        """What a standard deviation is to least squares: that of parameters is tau times the root of (J'J)^-1."""
        return float(np.sqrt(self.psi_squared) / self.psi_slope)

    def quantile(self, level: float) -> float:
        """Student's t for a two-sided interval."""
        return float(special.stdtrit(self.df, 0.5 + level / 2))


@dataclass(frozen=True)
class Smoothed:
    """What each residual says about the Huber loss near it, by a kernel.

    Attributes:
        squared: (n,), expected squared slope.
        slope: (n,), expected second derivative.
        sd: robust standard deviation of all.
    """

    squared: FloatArray
    slope: FloatArray
    sd: float


def smoothed(residuals: FloatArray, *, fitted: int, delta: float, at: FloatArray | None = None) -> Smoothed:
    """Residuals through a kernel that keeps their variance.

    A fit of p parameters makes p residuals as good as 0 where it is nearly one of absolute deviations, and all of them
    too small where it is one of squares: the p smallest tell nothing and are left out (Koenker 2005, 3.4).

    Args:
        residuals: of log loss, (n,).
        fitted: parameters.
        delta: of the Huber loss.
        at: residuals to answer for, instead of those that are kept.
    """
    kept = np.sort(np.abs(residuals))[min(fitted, len(residuals) - 2) :]
    scale = max(float(np.sqrt(np.mean(kept**2))), 1e-15)
    robust = max(min(scale, float(np.median(kept)) / float(special.ndtri(0.75))), 1e-15)
    width = 1.06 * robust * len(kept) ** -0.2
    shrunk = (kept if at is None else np.abs(at)) / np.sqrt(1 + (width / scale) ** 2)
    slope = special.ndtr((delta - shrunk) / width) - special.ndtr((-delta - shrunk) / width)
    around = np.clip(shrunk[:, None] + width * NODES, -delta, delta)
    return Smoothed((around**2 @ NODE_WEIGHTS) / NODE_WEIGHTS.sum(), np.maximum(slope, 1e-12), robust)


def spread_of(residuals: FloatArray, clusters: IntArray, *, fitted: int, delta: float) -> Spread:
    """The spread of residuals about a law.

    Args:
        residuals: of log loss, (n,).
        clusters: which training run each was read from, numbers from 0: points of one run are not independent.
        fitted: parameters.
        delta: of the Huber loss.
    """
    found = smoothed(residuals, fitted=fitted, delta=delta)
    squared = float(found.squared.mean()) * _design_effect(np.clip(residuals, -delta, delta), clusters)
    df = max(1, int(clusters.max()) + 1 - fitted)
    return Spread(squared, max(float(found.slope.mean()), 1e-12), df, found.sd)


def _design_effect(psi: FloatArray, clusters: IntArray) -> float:
    """How much more the sum over points varies than if all were independent; at least 1."""
    sums = np.bincount(clusters, weights=psi)
    return max(1.0, float((sums**2).sum() / max((psi**2).sum(), 1e-300)))


def robust_covariance(residuals: FloatArray, slopes: FloatArray, clusters: IntArray, *, delta: float) -> FloatArray:
    """Covariance of parameters where runs are not equally noisy, (F, F): Powell's kernel sandwich.

    Args:
        residuals: of log loss, (n,).
        slopes: of the law, (F, n), scaled so that none is far from the others.
        clusters: which training run each point was read from.
        delta: of the Huber loss.
    """
    fitted, n = slopes.shape
    found = smoothed(residuals, fitted=fitted, delta=delta, at=residuals)
    middle = (slopes * found.squared) @ slopes.T
    if int(clusters.max()) + 1 < n:
        psi = np.clip(residuals, -delta, delta) * slopes
        sums = np.stack([np.bincount(clusters, weights=row) for row in psi])
        middle = np.asarray(sums @ sums.T)
    bread = pseudo_inverse((slopes * found.slope) @ slopes.T)
    n_runs = int(clusters.max()) + 1
    covariance: FloatArray = bread @ middle @ bread * n_runs / max(1, n_runs - fitted)
    return covariance


def pseudo_inverse(matrix: FloatArray) -> FloatArray:
    """The inverse of a Gram matrix; huge, and not infinite, along what nothing determines."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    even = matrix / np.outer(scale, scale) + 1e-13 * np.eye(len(matrix))
    inverse: FloatArray = np.linalg.pinv(even, rcond=1e-15, hermitian=True) / np.outer(scale, scale)
    return inverse
