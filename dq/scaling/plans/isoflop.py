"""The best size at each compute without a law: a parabola in log N a level, then a power law (Hoffmann 2022, 2nd way).

It is biased even without noise: where loss rises unevenly to both sides of its minimum, a parabola's vertex is not
there, the less so the wider the sizes reach; and where a level is off its optimum by more than the next, the exponent
is wrong too (arXiv 2603.22339). So `dq.scaling.plans.approaches` runs it on a fitted law's own losses as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from dq.compare import RunTable
from dq.errors import FitError
from dq.results import Result
from dq.scaling.heldout import Mask
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.surface import RESAMPLES
from dq.scaling.points import FloatArray, IntArray, compute_of

SAME_COMPUTE = 1.25
"""Runs of one level: their compute differs by less than this factor, and the rest is corrected for."""
LEAST_SIZES, LEAST_LEVELS = 4, 3
ROUNDING = 1e-6
FAR_OFF = 0.5
"""Of the way from the middle of a level's sizes to their end."""


@dataclass(frozen=True)
class PowerLine:
    """A power of compute, as measured and as resampled: (K,) each, the measured first."""

    slope: FloatArray
    at_middle: FloatArray
    middle: float

    @classmethod
    def through(cls, log_c: FloatArray, log_y: FloatArray, weights: FloatArray) -> PowerLine:
        """The straight line through (n,) logarithms of compute and (K, n) of what depends on it; NaN counts nothing."""
        middle = float(np.average(log_c, weights=weights))
        weight, y = np.where(np.isnan(log_y), 0.0, weights), np.nan_to_num(log_y)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = weight.sum(axis=1)
            mean_x, mean_y = (weight @ (log_c - middle)) / total, (weight * y).sum(axis=1) / total
            x = log_c - middle - mean_x[:, None]
            slope = (weight * x * (y - mean_y[:, None])).sum(axis=1) / (weight * x**2).sum(axis=1)
        return cls(slope, mean_y - slope * mean_x, middle)

    def __call__(self, flops: float) -> FloatArray:
        """What it gives at a compute, (K,)."""
        value: FloatArray = np.exp(self.at_middle + self.slope * (np.log(flops) - self.middle))
        return value


@dataclass(frozen=True, kw_only=True)
class Isoflop(Result):
    """Optima by parabolas.

    Attributes:
        levels: a row a level: ``flops``, ``runs``, ``smallest``, ``largest``, ``n_params`` and ``n_tokens`` at the
            vertex, ``loss`` there, ``bend`` (of the parabola in log N), and ``off_centre``: where the vertex lies among
            the sizes, 0 in the middle and -1 or 1 at an end.
        exponent: of the best N by compute; that of D is 1 less it.
        warnings: levels that tell nothing, and sizes that lie badly.
        n_params: the power law of N.
        n_tokens: the power law of D.
        points: the runs, with the ``level`` each belongs to.
    """

    FRAME: ClassVar[str] = "levels"

    levels: pl.DataFrame
    exponent: Quantity
    warnings: tuple[str, ...]
    n_params: PowerLine
    n_tokens: PowerLine
    points: pl.DataFrame

    def record(self) -> dict[str, object]:
        """Without what only figures read."""
        return {"levels": self.levels, "exponent": self.exponent, "warnings": self.warnings}


def isoflop(runs: RunTable, *, resamples: int = RESAMPLES, seed: int = 0) -> Isoflop:
    """Fit parabolas to levels of equal compute, and power laws through their vertices.

    Args:
        runs: of fresh text.
        resamples: of the residuals, for intervals.
        seed: of these.

    Raises:
        FitError: fewer than three levels have four sizes about an optimum; names how many there are.
    """
    frame, compute = runs.frame, compute_of(runs.frame)
    level = _levels(compute, frame["n_params"].to_numpy())
    kept = level >= 0
    if int(level.max(initial=-1)) + 1 < LEAST_LEVELS:
        raise FitError(_too_few(runs, int(level.max(initial=-1)) + 1, what=f"{LEAST_SIZES} sizes"), field="isoflop")
    frame, compute, level = frame.filter(pl.Series(kept)), compute[kept], level[kept]
    found = _Parabolas.of(frame, compute, level)
    usable = found.usable
    left_out = [
        f"at {short(found.flops[one])} FLOPs the parabola has no least loss among the sizes: left out; add sizes there"
        for one in np.flatnonzero(~usable)
    ]
    if usable.sum() < LEAST_LEVELS:
        raise FitError(_too_few(runs, int(usable.sum()), what="an optimum inside their sizes"), field="isoflop")
    vertices, tokens = found.resampled(resamples, seed=seed)
    log_c, weights = np.log(found.flops[usable]), found.weights[usable]
    line = PowerLine.through(log_c, vertices[:, usable], weights)
    table = found.table(vertices[0], tokens[0]).filter(pl.Series(usable))
    return Isoflop(
        levels=table,
        exponent=Quantity.of(line.slope),
        warnings=(*left_out, *_off_centre(table)),
        n_params=line,
        n_tokens=PowerLine.through(log_c, tokens[:, usable], weights),
        points=frame.with_columns(level=pl.Series(level)),
    )


@dataclass(frozen=True)
class _Parabolas:
    """Loss = c0 + c1 x + c2 x^2 a level, x = log N, and one slope by what is left of log compute within levels."""

    log_n: FloatArray
    log_d: FloatArray
    level: IntArray
    flops: FloatArray
    middles: FloatArray
    design: FloatArray
    loss: FloatArray

    @classmethod
    def of(cls, frame: pl.DataFrame, compute: FloatArray, level: IntArray) -> _Parabolas:
        log_n, log_d = (np.log(frame[name].to_numpy()) for name in ("n_params", "n_tokens"))
        numbers = range(int(level.max()) + 1)
        middles = np.array([(log_n[level == one].min() + log_n[level == one].max()) / 2 for one in numbers])
        log_c = np.array([np.log(compute[level == one]).mean() for one in numbers])
        x, rest = log_n - middles[level], np.log(compute) - log_c[level]
        rest[np.abs(rest) < ROUNDING] = 0.0
        mine = level[:, None] == np.arange(len(middles))
        design = np.concatenate([mine, mine * x[:, None], mine * x[:, None] ** 2, rest[:, None]], axis=1)
        return cls(log_n, log_d, level, np.exp(log_c), middles, design, frame["loss"].to_numpy())

    @property
    def inverse(self) -> FloatArray:
        """Of the design: coefficients by loss."""
        return np.asarray(np.linalg.pinv(self.design), np.float64)

    def vertices(self, loss: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Vertices from the middles (K, L), losses there and bends, for losses (K, n)."""
        coefficients = loss @ self.inverse.T
        c0, c1, c2 = np.split(coefficients[:, :-1], 3, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            vertex = np.where(c2 > 0, -c1 / (2 * c2), np.nan)
        return vertex, c0 + c1 * vertex / 2, c2

    @property
    def half_widths(self) -> FloatArray:
        """Half the range of log N of each level."""
        return np.array([np.ptp(self.log_n[self.level == one]) / 2 for one in range(len(self.middles))])

    @property
    def usable(self) -> Mask:
        """Levels whose vertex is a least one, and inside their sizes."""
        found: Mask = np.isfinite(self.inside(self.loss[None])[0])
        return found

    @property
    def weights(self) -> FloatArray:
        """Inverse variances of the vertices, but for the noise of a run, which is one for all: (L,)."""
        inverse = self.inverse
        (_, c1, c2), covariance = np.split((inverse @ self.loss)[:-1], 3), inverse @ inverse.T
        n = len(self.middles)
        rows = np.arange(n)
        ones, twos = np.diag(covariance)[n : 2 * n], np.diag(covariance)[2 * n : 3 * n]
        by_one, by_two = -1 / (2 * c2), c1 / (2 * c2**2)
        variance = by_one**2 * ones + by_two**2 * twos + 2 * by_one * by_two * covariance[n + rows, 2 * n + rows]
        weights: FloatArray = 1 / variance
        return weights

    def inside(self, loss: FloatArray) -> FloatArray:
        """Vertices from the middles, NaN where they are no least ones among the sizes."""
        vertex = self.vertices(loss)[0]
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(vertex) <= self.half_widths, vertex, np.nan)

    def resampled(self, resamples: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
        """Log N and log D of the vertices: as measured, then with residuals drawn again; (1 + resamples, L) each."""
        fitted = self.design @ (self.inverse @ self.loss)
        residuals = self.loss - fitted
        spare = max(1, len(self.loss) - int(np.linalg.matrix_rank(self.design)))
        drawn = np.random.default_rng(seed).choice(residuals, (resamples, len(residuals)))
        losses = np.concatenate([self.loss[None], fitted + drawn * np.sqrt(len(residuals) / spare)])
        vertices = self.inside(losses) + self.middles
        tokens = np.stack(
            [np.polyval(self._tokens_by_size(one), vertices[:, one]) for one in range(len(self.middles))], axis=1
        )
        return vertices, tokens

    def _tokens_by_size(self, one: int) -> FloatArray:
        """Log D is straight in log N within a level: exactly where C = 6 N D."""
        mine = self.level == one
        return np.asarray(np.polyfit(self.log_n[mine], self.log_d[mine], 1), np.float64)

    def table(self, vertex: FloatArray, tokens: FloatArray) -> pl.DataFrame:
        from_middle, loss, bend = (one[0] for one in self.vertices(self.loss[None]))
        half = self.half_widths
        return pl.DataFrame({
            "level": np.arange(len(vertex)),
            "flops": self.flops,
            "runs": np.bincount(self.level),
            "smallest": np.exp(self.middles - half),
            "largest": np.exp(self.middles + half),
            "n_params": np.exp(vertex),
            "n_tokens": np.exp(tokens),
            "loss": loss,
            "bend": bend,
            "off_centre": from_middle / half,
        })  # fmt: skip


def _levels(compute: FloatArray, sizes: FloatArray) -> IntArray:
    """The level of each run, ascending by compute; -1 where fewer than four sizes share its compute."""
    log_c = np.log(compute)
    level = np.full(len(compute), -1)
    windows: list[tuple[float, IntArray]] = []
    free = np.ones(len(compute), dtype=bool)
    while free.any():
        best: IntArray = np.zeros(0, dtype=np.int64)
        for start in np.unique(log_c[free]):
            inside = np.flatnonzero(free & (log_c >= start) & (log_c <= start + np.log(SAME_COMPUTE)))
            if len(np.unique(sizes[inside])) > len(np.unique(sizes[best])):
                best = inside
        if len(np.unique(sizes[best])) < LEAST_SIZES:
            break
        windows.append((float(log_c[best].mean()), best))
        free[best] = False
    for number, (_, rows) in enumerate(sorted(windows, key=lambda one: one[0])):
        level[rows] = number
    return level


def _too_few(runs: RunTable, found: int, *, what: str) -> str:
    return (
        f"{runs.name}: {found} levels of equal compute (within {SAME_COMPUTE:g} times) have {what}, and a power law "
        f"wants {LEAST_LEVELS}; run {LEAST_SIZES} sizes or more at each of {LEAST_LEVELS} computes, or fit a law"
    )


def _off_centre(levels: pl.DataFrame) -> Sequence[str]:
    far = levels.filter(pl.col("off_centre").abs() > FAR_OFF)
    if far.is_empty():
        return ()
    where = ", ".join(short(one) for one in far["flops"])
    return (f"the optimum is far from the middle of the sizes at {where} FLOPs: such levels bend the exponent",)
