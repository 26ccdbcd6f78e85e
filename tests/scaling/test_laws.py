"""Every law, as `dq.scaling.known` finds them: its slopes are its own, and its parameters come back from runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.compare import read_runs
from dq.errors import DqError
from dq.scaling import Fit, describe_laws, fit, objective_at
from dq.scaling.known import LAWS, law_named
from dq.scaling.points import Points
from tests.scaling.tables import grid, with_loss

NAMES = sorted(LAWS)


def every_column() -> pl.DataFrame:
    """A grid with whatever a law could read: epochs from 1 to 50, doses, shares of three sources."""
    table = grid(sizes=6, budgets=10)
    drawn = np.random.default_rng(4)
    shares = drawn.dirichlet([1, 1, 1], size=len(table))
    return table.with_columns(
        n_unique=pl.col("n_tokens") / pl.Series(np.resize([1.0, 2, 4, 7.5, 16, 50, 3], len(table))),
        dose=pl.Series(np.resize([0.0, 0.1, 0.3, 0.6], len(table))),
        **{f"share_{name}": pl.Series(shares[:, at]) for at, name in enumerate("abc")},
    )


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_those_of_differences(name: str) -> None:
    named = law_named(name, every_column())
    values = {**named.form.example, **named.form.fixed}
    values |= {one: values[other] for one, other in named.form.tied.items()}
    points = Points.of(every_column(), named.law.columns, what=name)
    at = np.array([one.inner(values[one.name]) for one in named.law.parameters])
    at = np.where(np.isfinite(at), at, -1.0)[None]
    found = named.law.evaluate(points, at)
    for place, parameter in enumerate(named.law.parameters):
        step = np.zeros_like(at)
        step[0, place] = 1e-5
        above, below = (named.law.evaluate(points, at + sign * step).log_loss for sign in (1, -1))
        assert found.slopes[0, place] == pytest.approx((above - below)[0] / 2e-5, abs=2e-7), parameter.name


@pytest.mark.parametrize("name", NAMES)
def test_without_noise_the_parameters_come_back(name: str) -> None:
    table = every_column()
    example = LAWS[name].forms[name].example
    found = fit(name, with_loss(table, name, example))
    assert {one: found.params[one] for one in example} == pytest.approx(dict(example), rel=1e-4)
    assert found.objective < 1e-12


def test_laws_are_described_by_name() -> None:
    described = {one.name: one for one in describe_laws()}
    assert list(described) == NAMES
    assert described["chinchilla"].fixed == {"k": 1.0}
    assert described["muennighoff"].tied == {"beta": "alpha"}
    assert "n_unique" in described["lovelace"].columns


def test_a_law_that_needs_a_column_names_it() -> None:
    table = with_loss(grid(), "chinchilla", LAWS["chinchilla"].forms["chinchilla"].example)
    with pytest.raises(DqError, match="law `muennighoff` needs column `n_unique`"):
        fit("muennighoff", table)
    with pytest.raises(DqError, match="law `mixing` needs a column share_NAME"):
        fit("mixing", table)
    with pytest.raises(DqError, match="law `noise` needs column `dose`: unknown column `dose`; there are n_params"):
        fit("noise", table)


# --- published answers of the data-constrained study ---------------------------------------------------------------

BASE = {"E": math.exp(0.6254804), "A": math.exp(6.255414), "B": math.exp(7.3049974), "alpha": 0.3526596}
DECAY = {"R_D": 15.387756, "R_N": 5.309743}


def test_effective_data_gives_the_published_losses() -> None:
    runs = pl.DataFrame({"n_params": [6.34e9, 8.67e9], "n_tokens": [242e9, 178e9], "n_unique": [25e9, 25e9]})
    found = with_loss(runs, "muennighoff", {**BASE, **DECAY})["loss"].to_list()
    assert found == pytest.approx([2.2256440889984477, 2.2269634075087867], rel=1e-12)


@pytest.mark.parametrize(("unique", "size"), [(100e6, 5098651.7658), (400e6, 20394607.0615), (1.5e9, 76479776.4805)])
def test_parameters_beyond_the_published_optimum_of_a_pool_are_worth_nothing(unique: float, size: float) -> None:
    runs = pl.DataFrame({"n_params": [1e13], "n_tokens": [unique], "n_unique": [unique]})
    (loss,) = with_loss(runs, "muennighoff", {**BASE, "R_D": 15.0, "R_N": 0.01})["loss"]  # N' = 1.01 U_N
    of_size = loss - BASE["E"] - BASE["B"] / unique ** BASE["alpha"]
    assert (BASE["A"] / of_size) ** (1 / BASE["alpha"]) / 1.01 == pytest.approx(size, rel=1e-8)


@pytest.fixture(scope="module")
def repeated_runs(shared: Path) -> pl.DataFrame:
    path = shared / "data/runs/datablations_c4_runs.csv"
    return read_runs(path, columns={"loss": "val_loss_c4"}, where=["in_fit_set=1"]).frame


@pytest.fixture(scope="module")
def refitted(repeated_runs: pl.DataFrame) -> Fit:
    return fit("muennighoff", repeated_runs, fixed=BASE)


@pytest.mark.needs_shared
def test_the_published_point_is_only_a_local_optimum(repeated_runs: pl.DataFrame, refitted: Fit) -> None:
    published = objective_at("muennighoff", repeated_runs, {**BASE, **DECAY})
    assert published == pytest.approx(0.0158259353, rel=1e-8)
    loss = repeated_runs["loss"].to_numpy()
    missed = loss - with_loss(repeated_runs.drop("loss"), "muennighoff", {**BASE, **DECAY})["loss"].to_numpy()
    assert 1 - (missed**2).sum() / ((loss - loss.mean()) ** 2).sum() == pytest.approx(0.77220461, abs=1e-7)
    assert refitted.objective < published
    assert fit("muennighoff", repeated_runs).objective < 0.8 * refitted.objective


@pytest.mark.needs_shared
def test_the_published_r_d_is_weakly_determined(refitted: Fit) -> None:
    interval = refitted.interval("R_D")
    assert interval.high is None or interval.low is None or interval.high > 3 * interval.low
