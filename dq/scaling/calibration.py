"""Whether intervals hold what they claim: runs are made by a known law with known noise, and fitted as a user's are.

A table of it is in ``docs/calibration.md``; ``benchmarks/calibration.py`` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from dq.scaling.fit import fit
from dq.scaling.identified import Identified, identify
from dq.scaling.known import law_named
from dq.scaling.points import FloatArray, Points

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28, "k": 1.0}
FEW = 4
"""Degrees of freedom of the heavy tails: one run in 100 lies 4.6 times the usual distance away."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Runs to be made, and what is asked of a fit to them.

    Attributes:
        name: of the row in tables.
        law: that makes them and is fitted.
        truth: its parameters.
        points: the runs, a row each, without losses.
        noise: standard deviation of log loss.
        heavy: whether noise has the tails of Student's t with 4 degrees of freedom.
        asked: parameters whose intervals are asked for.
        determined: whether the runs can tell these; if not, a fit must say so.
        inside: points within the range of the runs, at which the law is predicted.
    """

    name: str
    law: str
    truth: Mapping[str, float]
    points: pl.DataFrame
    noise: float
    heavy: bool = False
    asked: tuple[str, ...]
    determined: bool = True
    inside: pl.DataFrame = field(default_factory=pl.DataFrame)


def designs() -> tuple[Design, ...]:
    """A good grid, one with outliers, and a grid along one ratio of tokens to parameters, which tells no exponent."""
    grid = _grid(np.geomspace(1e7, 3e9, 7), (2.0, 5.0, 12.0, 30.0, 80.0))
    inside = pl.DataFrame({"n_params": [5e7, 3e8, 1e9], "n_tokens": [5e8, 3e9, 4e10]})
    ray = _grid(np.geomspace(1e8, 8e8, 12), (20.0,))
    good = Design(
        name="7 sizes x 5 budgets",
        law="chinchilla",
        truth=HOFFMANN,
        points=grid,
        noise=0.004,
        asked=("E", "alpha", "beta"),
        inside=inside,
    )
    return (
        good,
        replace(good, name="the same, heavy tails", heavy=True),
        replace(
            good,
            name="20 tokens a parameter throughout",
            points=ray,
            asked=("alpha", "beta"),
            determined=False,
            inside=pl.DataFrame(),
        ),
    )


def simulate(design: Design, seeds: Sequence[int]) -> pl.DataFrame:
    """Make and fit runs once a seed.

    Returns:
        A row a seed and quantity: ``design``, ``seed``, ``quantity``, ``held`` (its 95 % interval holds the truth) and
        ``flagged`` (the fit says that the runs do not determine it; null for predictions).
    """
    named = law_named(design.law, design.points)
    truth = np.array([[one.inner(design.truth[one.name]) for one in named.law.parameters]])

    def loss_at(table: pl.DataFrame) -> FloatArray:
        points = Points.of(table, named.law.columns, what=design.name)
        loss: FloatArray = np.exp(named.law.evaluate(points, truth).log_loss[0])
        return loss

    true_loss = loss_at(design.points)
    expected = loss_at(design.inside) if len(design.inside) else np.zeros(0)
    rows: list[tuple[int, str, bool, bool | None]] = []
    for seed in seeds:
        noise = design.noise * _noise(seed, len(true_loss), heavy=design.heavy)
        found = fit(design.law, design.points.with_columns(loss=pl.Series(true_loss * np.exp(noise))))
        for name in design.asked:
            interval = found.interval(name)
            low = -math.inf if interval.low is None else interval.low
            high = math.inf if interval.high is None else interval.high
            verdict = identify(found.solution.problem.space.free[found.fitted.index(name)], interval).verdict
            rows.append((seed, name, low <= design.truth[name] <= high, verdict is not Identified.YES))
        if len(design.inside):
            predicted = found.predict(design.inside)
            held_at = (predicted["low"].to_numpy() <= expected) & (expected <= predicted["high"].to_numpy())
            rows += [(seed, f"prediction {at + 1}", bool(one), None) for at, one in enumerate(held_at)]
    schema = {"seed": pl.Int64, "quantity": pl.String, "held": pl.Boolean, "flagged": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(design=pl.lit(design.name))


def coverage(simulated: pl.DataFrame) -> pl.DataFrame:
    """A row a design and quantity: simulations, shares ``held`` and ``flagged``, and the standard error of ``held``."""
    found = simulated.group_by("design", "quantity", maintain_order=True).agg(
        simulations=pl.len(), held=pl.col("held").mean(), flagged=pl.col("flagged").mean()
    )
    error = (pl.col("held") * (1 - pl.col("held")) / pl.col("simulations")).sqrt()
    return found.with_columns(standard_error=error)


def _grid(sizes: FloatArray, ratios: Sequence[float]) -> pl.DataFrame:
    return pl.DataFrame([{"n_params": n, "n_tokens": n * ratio} for n in sizes for ratio in ratios])


def _noise(seed: int, n: int, *, heavy: bool) -> FloatArray:
    draw = np.random.default_rng(seed)
    if heavy:
        noise: FloatArray = draw.standard_t(FEW, n) / math.sqrt(FEW / (FEW - 2))
        return noise
    return draw.normal(size=n)
