"""What a fit minimises: the summed Huber loss of log loss, with its derivatives, for many starts at once.

Summed, not averaged: an average makes gradients so small that published fits stopped early (Besiroglu 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dq.scaling.law import Law
from dq.scaling.points import FloatArray, IntArray, Points
from dq.scaling.space import Space

TINY = 1e-300


@dataclass(frozen=True)
class Problem:
    """A law to be fitted to points.

    Attributes:
        law: the law.
        points: its columns at n runs.
        log_loss: what the runs reached, (n,), or one vector a problem, (K, n).
        space: the free parameters.
        delta: where the Huber loss turns from a square into a line: log units, one number or (n,).
        overestimate_penalty: factor of the loss where the law lies above a run: a run can be under-tuned, never too
            good, so more than 1 lets runs lie above the curve.
    """

    law: Law
    points: Points
    log_loss: FloatArray
    space: Space
    delta: float | FloatArray
    overestimate_penalty: float = 1.0

    def __len__(self) -> int:
        return len(self.points)

    def predicted(self, x: FloatArray) -> FloatArray:
        """Log loss by the law, (K, n), at free parameters (K, F)."""
        with np.errstate(all="ignore"):
            return self.law.evaluate(self.points, self.space.all_of(x)).log_loss

    def residuals(self, x: FloatArray) -> FloatArray:
        """Log loss of the runs above the law, (n,), at free parameters (F,)."""
        residuals: FloatArray = self.log_loss - self.predicted(x[None])[0]
        return residuals

    def at(self, rows: IntArray | slice) -> Problem:
        """The same problem on some runs."""
        return replace(self, points=self.points.rows(rows), log_loss=self.log_loss[..., rows])

    def objective(self, x: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """Summed Huber loss, (K,)."""
        excess = self.predicted(x) - self.log_loss
        objective: FloatArray = (self._weights(excess, weights) * self._huber(np.abs(excess))).sum(1)
        return objective

    def expand(self, x: FloatArray, rows: IntArray, weights: FloatArray | None) -> Expansion:
        """The objective and what its second-order model needs; ``rows`` says which of K targets each vector has."""
        with np.errstate(all="ignore"):
            found = self.law.evaluate(self.points, self.space.all_of(x))
            slopes = found.slopes
            if not self.space.is_plain:
                slopes = np.matmul(self.space.spread.T, slopes)
            excess = found.log_loss - (self.log_loss[rows] if self.log_loss.ndim > 1 else self.log_loss)
            size = np.abs(excess)
            weight = self._weights(excess, weights)
            objective = (weight * self._huber(size)).sum(1)
            slack = weight * np.minimum(1.0, self.delta / np.maximum(size, TINY))
            inside = weight * (size <= self.delta)
            across = slopes.transpose(0, 2, 1)
            return Expansion(
                objective=np.where(np.isfinite(objective), objective, np.inf),
                gradient=np.matmul(slopes, (slack * excess)[:, :, None])[:, :, 0],
                bound=np.matmul(slopes * slack[:, None], across),
                curvature=np.matmul(slopes * inside[:, None], across),
            )

    def _weights(self, excess: FloatArray, weights: FloatArray | None) -> FloatArray:
        weight = np.ones((1, 1)) if weights is None else weights
        if self.overestimate_penalty != 1.0:
            weight = weight * np.where(excess > 0, self.overestimate_penalty, 1.0)
        return weight

    def _huber(self, size: FloatArray) -> FloatArray:
        huber: FloatArray = np.where(size <= self.delta, 0.5 * size**2, self.delta * (size - 0.5 * self.delta))
        return huber


@dataclass(frozen=True)
class Expansion:
    """The objective of K vectors and its derivatives.

    Attributes:
        objective: (K,); infinite where the law overflows.
        gradient: (K, F).
        bound: (K, F, F), Gauss-Newton with iterated weights: never below the objective's own curvature in straight
            directions, so its steps never overshoot.
        curvature: (K, F, F), Gauss-Newton of the quadratic runs alone: the objective's own where few runs change side,
            so its steps are exact near a minimum.
    """

    objective: FloatArray
    gradient: FloatArray
    bound: FloatArray
    curvature: FloatArray
