"""Does `dq.scaling.fit` find the lowest objective, and how fast? Beside solvers that share no code with it.

python benchmarks/fits.py [RUNS.csv] [--starts 450]: columns n_params, n_tokens and loss; without a table, 240 simulated
runs. The other solvers start from a part of the published 4,500 starts, and their times are scaled to all of them. The
package `chinchilla` (github.com/kyo-takano/chinchilla) takes part where it is installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import optimize

from dq.scaling import fit

Array = NDArray[np.float64]
Found = TypeVar("Found")

DELTA = 1e-3
GRID = {  # Hoffmann 2022: logs of A, B and E, and the exponents
    "a": np.arange(0, 30, 5.0),
    "b": np.arange(0, 30, 5.0),
    "e": np.arange(-1, 1.5, 0.5),
    "alpha": np.arange(0, 2.5, 0.5),
    "beta": np.arange(0, 2.5, 0.5),
}
COARSE = {name: values[::2] for name, values in GRID.items()}
ALL_STARTS, COARSE_STARTS = (math.prod(len(values) for values in grid.values()) for grid in (GRID, COARSE))
BOUNDS = ((0, 60), (0, 60), (-3, 2), (0, 3), (0, 3), (0.05, 4))
REFITS = 1000


def main() -> None:
    """Fit both forms with every solver, and print objectives and times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("runs", type=Path, nargs="?")
    options.add_argument("--starts", type=int, default=450)
    given = options.parse_args()
    runs = simulated() if given.runs is None else pl.read_csv(given.runs)
    starts = np.array(list(product(*GRID.values())))[:: max(1, ALL_STARTS // given.starts)]
    print(f"{len(runs)} runs, {ALL_STARTS:,} starts for dq, {len(starts)} for the others\n")
    for law in ("chinchilla", "coupled"):
        compare(Peer.of(law, runs), runs, starts)


def compare(peer: Peer, runs: pl.DataFrame, starts: Array) -> None:
    """Print one form: the fit and refits of dq, then what the others find."""
    ours, seconds = timed(lambda: fit(peer.law, runs))
    print(
        f"{peer.law}: {ours.formula}\n{'solver':<32} {'objective':>14} {'above dq':>10} {'seconds':>8} {'times dq':>9}"
    )
    print(f"{'dq, all starts':<32} {ours.objective:14.9f} {'':>10} {seconds:8.1f}")
    print(f"{f'dq, {REFITS:,} refits':<32} {'':>25} {timed(lambda: ours.bootstrap(resamples=REFITS))[1]:8.1f}")
    if peer.coupled:
        starts = np.column_stack([starts, np.ones(len(starts))])
    scale = ALL_STARTS / len(starts)
    others: dict[str, tuple[Callable[[], float], float]] = {
        "scipy, BFGS as published": (lambda: peer.descend(starts), scale),
        "scipy, least squares with Huber": (lambda: peer.least_squares(starts), scale),
        "scipy, differential evolution": (peer.evolve, 1.0),
    }
    if not peer.coupled and importlib.util.find_spec("chinchilla"):
        others["chinchilla, the package"] = (lambda: peer.package(runs), ALL_STARTS / COARSE_STARTS)
    for name, (solve, factor) in others.items():
        found, spent = timed(solve)
        above, spent = found / ours.objective - 1, spent * factor
        print(f"{name:<32} {found:14.9f} {above:+10.1e} {spent:8.0f} {spent / seconds:9.0f}", flush=True)
    print()


@dataclass(frozen=True)
class Peer:
    """Solvers of one form, by its textbook formula: parameters are log A, log B, log E, the exponents and k."""

    law: str
    log_n: Array
    log_d: Array
    log_loss: Array

    @classmethod
    def of(cls, law: str, runs: pl.DataFrame) -> Peer:
        """Of a table."""
        return cls(law, *(np.log(runs[name].to_numpy()) for name in ("n_params", "n_tokens", "loss")))

    @property
    def coupled(self) -> bool:
        """Whether there is a k."""
        return self.law == "coupled"

    def residuals(self, x: Array) -> Array:
        """Log loss by the formula above that of the runs."""
        a, b, e, alpha, beta = x[:5]
        parts = np.logaddexp(a - alpha * self.log_n, b - beta * self.log_d)
        residuals: Array = np.logaddexp(e, parts * x[5] if self.coupled else parts) - self.log_loss
        return residuals

    def objective(self, x: Array) -> float:
        """Summed Huber loss."""
        size = np.abs(self.residuals(x))
        return float(np.where(size < DELTA, size**2 / 2, DELTA * (size - DELTA / 2)).sum())

    def descend(self, starts: Array) -> float:
        """BFGS with numeric gradients from every start, as replications of Hoffmann 2022 do it."""
        with np.errstate(all="ignore"):
            return min(float(optimize.minimize(self.objective, start, method="BFGS").fun) for start in starts)

    def least_squares(self, starts: Array) -> float:
        """A trust region on residuals: scipy's Huber loss is this one exactly."""
        exact = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-14}
        with np.errstate(all="ignore"):
            return min(
                float(
                    optimize.least_squares(
                        self.residuals, start, loss="huber", f_scale=DELTA, x_scale="jac", **exact
                    ).cost
                )
                for start in starts
            )

    def evolve(self) -> float:
        """A global search that needs no start, polished."""
        bounds = BOUNDS[: 6 if self.coupled else 5]
        with np.errstate(all="ignore"):
            found = optimize.differential_evolution(
                self.objective, bounds, rng=0, tol=1e-10, maxiter=3000, polish=False
            )
            return float(optimize.minimize(self.objective, found.x, method="Nelder-Mead", tol=1e-14).fun)

    def package(self, runs: pl.DataFrame) -> float:
        """What the package finds from a coarse grid, a process a core, by the objective above."""
        chinchilla, metrics = (importlib.import_module(name) for name in ("chinchilla", "chinchilla._metrics"))
        with tempfile.TemporaryDirectory() as folder:
            table = runs.select(C=6 * pl.col("n_params") * pl.col("n_tokens"), N="n_params", D="n_tokens", loss="loss")
            table.write_csv(Path(folder) / "df.csv")
            grid = {name: COARSE[name] for name in ("e", "a", "b", "alpha", "beta")}
            one = chinchilla.Chinchilla(
                folder, grid, loss_fn=lambda seen, law: metrics.log_huber(seen, law, DELTA), log_level=40
            )
            one.fit()
            return self.objective(np.array([*np.log([one.A, one.B, one.E]), one.alpha, one.beta]))


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    """What it returns, and the seconds it took."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def simulated() -> pl.DataFrame:
    """240 runs by Hoffmann's law with 0.4 % of noise."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.5, 10.2, 240), 10 ** rng.uniform(9, 11.5, 240)
    loss = (1.69 + 406.4 / n**0.34 + 410.7 / d**0.28) * np.exp(rng.normal(0, 0.004, 240))
    return pl.DataFrame({"n_params": n, "n_tokens": d, "loss": loss})


if __name__ == "__main__":
    main()
