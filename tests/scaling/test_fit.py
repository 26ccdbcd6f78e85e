"""Fits: the true parameters come back, intervals say what the runs determine, and published answers are met."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import least_squares
from scipy.optimize import minimize as scipy_minimize

from dq.errors import DqError
from dq.scaling import Fit, FitOptions, FitStatus, Identified, fit, objective_at
from tests.scaling.tables import CHINCHILLA, grid, public_runs, with_loss


@pytest.fixture(scope="module")
def noisy() -> Fit:
    return fit("chinchilla", with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.002, seed=3))


def test_the_estimate_is_a_minimum_with_intervals_around_it(noisy: Fit) -> None:
    assert noisy.status is FitStatus.CONVERGED
    assert noisy.advice == ()
    assert noisy.starts == 4500
    assert noisy.gradient_norm < 1e-8
    assert noisy.objective == pytest.approx(objective_at("chinchilla", noisy.table, noisy.params), rel=1e-12)
    assert noisy.objective < objective_at("chinchilla", noisy.table, CHINCHILLA)
    assert noisy.noise == pytest.approx(0.002, rel=0.5)
    for one in noisy.identified():
        low, high = one.interval.low, one.interval.high
        assert low is not None and high is not None
        assert low < noisy.params[one.interval.name] < high
        assert low < CHINCHILLA[one.interval.name] < high


def test_no_other_solver_finds_less(noisy: Fit) -> None:
    """Nelder and Mead know no derivatives, BFGS follows scipy's own differences: neither shares a line with ours."""
    runs = noisy.table.frame
    log_n, log_d, log_loss = (np.log(runs[name].to_numpy()) for name in ("n_params", "n_tokens", "loss"))

    def objective(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        excess = np.log(np.exp(x[0]) + np.exp(x[1] - x[3] * log_n) + np.exp(x[2] - x[4] * log_d)) - log_loss
        size = np.abs(excess)
        return float(np.where(size <= 1e-3, size**2 / 2, 1e-3 * (size - 5e-4)).sum())

    start = np.array([math.log(1.8), 6.2, 7.6, 0.35, 0.37])
    found = [scipy_minimize(objective, start, method=method, tol=1e-14).fun for method in ("BFGS", "Nelder-Mead")]
    assert noisy.objective <= min(found) * (1 + 1e-6)


def test_no_trust_region_finds_less_in_the_coupled_form() -> None:
    """Its six parameters trade with each other in a long valley; scipy's Huber loss on residuals is ours exactly."""
    truth = {**CHINCHILLA, "k": 0.6}
    runs = with_loss(grid(), "coupled", truth, noise=0.002, seed=5)
    log_n, log_d, log_loss = (np.log(runs[name].to_numpy()) for name in ("n_params", "n_tokens", "loss"))

    def residuals(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        parts = np.logaddexp(x[1] - x[3] * log_n, x[2] - x[4] * log_d)
        apart: np.ndarray[tuple[int], np.dtype[np.float64]] = np.logaddexp(x[0], x[5] * parts) - log_loss
        return apart

    ours = fit("coupled", runs)
    exact = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-14}
    starts = [
        np.array([0.5, scale, scale, slope, slope, k]) for scale in (5.0, 15.0) for slope, k in ((0.3, 1), (0.6, 0.5))
    ]
    found = [least_squares(residuals, one, loss="huber", f_scale=1e-3, x_scale="jac", **exact).cost for one in starts]
    assert min(found) == pytest.approx(ours.objective, rel=1e-6)
    assert ours.objective <= min(found) * (1 + 1e-6)


def test_predictions_hold_the_truth_and_widen_beyond_the_runs(noisy: Fit) -> None:
    at = {"n_params": [1e8, 8e9], "n_tokens": [2e9, 1.6e11]}
    truth = with_loss(pl.DataFrame(at), "chinchilla", CHINCHILLA)["loss"]
    found = noisy.predict(at)
    assert ((found["low"] < truth) & (truth < found["high"])).all()
    assert ((found["run_low"] < found["low"]) & (found["high"] < found["run_high"])).all()
    near, far = (found["high"] - found["low"]).to_list()
    assert far > 2 * near
    assert noisy.predict({"n_params": 1e8, "n_tokens": 2e9}, level=0.5)["high"][0] < found["high"][0]


@pytest.mark.needs_shared
def test_resampled_public_runs_spread_as_published(shared: Path) -> None:
    """Besiroglu 2024: standard errors A 124.58, B 1293.23, E .03, alpha .02, beta .02, the last three rounded."""
    drawn = fit("chinchilla", public_runs(shared)).bootstrap(resamples=1000).frame
    spread = {name: float(np.std(drawn[name].to_numpy())) for name in ("A", "B", "E", "alpha", "beta")}
    assert spread["A"] == pytest.approx(124.58, rel=0.1)
    assert spread["B"] == pytest.approx(1293.23, rel=0.2)
    assert [round(spread[name], 2) for name in ("E", "alpha", "beta")] == [0.03, 0.02, 0.02]


def test_bootstrap_agrees_with_profile_and_repeats(noisy: Fit) -> None:
    found = noisy.bootstrap(resamples=200, seed=5)
    assert found.frame.equals(noisy.bootstrap(resamples=200, seed=5).frame)
    assert found.converged > 0.99
    profile = noisy.interval("alpha")
    drawn = found.interval("alpha")
    assert profile.low is not None and profile.high is not None and drawn.low is not None and drawn.high is not None
    assert 0.5 < (drawn.high - drawn.low) / (profile.high - profile.low) < 2


def test_points_of_one_run_count_as_one() -> None:
    """Every run read at four points that share its error: a fit that takes them for four runs is too sure."""
    runs = with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.003, seed=1).with_row_index("run")
    error = runs["loss"] / with_loss(grid(), "chinchilla", CHINCHILLA)["loss"]
    parts = [runs.with_columns(n_tokens=pl.col("n_tokens") * part, error=error) for part in (0.4, 0.6, 0.8, 1)]
    read = with_loss(pl.concat(parts), "chinchilla", CHINCHILLA)
    read = read.with_columns(pl.col("loss") * pl.col("error"), pl.col("run").cast(str))
    as_runs, as_points = fit("chinchilla", read), fit("chinchilla", read.drop("run"))
    at = {"n_params": 1e8, "n_tokens": 2e9}
    lengths = [(one.predict(at)["high"] - one.predict(at)["low"])[0] for one in (as_runs, as_points)]
    assert lengths[0] > 1.5 * lengths[1]


def test_what_runs_do_not_determine_is_flagged() -> None:
    """At one ratio of tokens to parameters nobody can tell what either does."""
    table = pl.DataFrame({"n_params": np.geomspace(1e7, 1e9, 24)}).with_columns(n_tokens=pl.col("n_params") * 20)
    found = fit("chinchilla", with_loss(table, "chinchilla", CHINCHILLA, noise=0.002, seed=2))
    verdicts = {one.interval.name: one.verdict for one in found.identified()}
    assert Identified.YES not in {verdicts["A"], verdicts["B"]}
    assert any("not determined" in one.words for one in found.identified())


def test_one_size_leaves_its_part_out_and_says_so() -> None:
    table = with_loss(grid(sizes=1, budgets=8), "chinchilla", CHINCHILLA)
    found = fit("coupled", table)
    assert found.fitted == ("E", "B", "beta")
    assert found.params["E"] == pytest.approx(1.82 + 482 / 1e7**0.348, rel=1e-6)
    assert "every run has one n_params: A, alpha, k cannot be told and are left out" in " ".join(found.advice)


def test_parameters_can_be_fixed_and_tied() -> None:
    table = with_loss(grid(), "chinchilla", {**CHINCHILLA, "beta": 0.348})
    tied = fit("chinchilla", table, tied={"beta": "alpha"})
    assert tied.params["alpha"] == tied.params["beta"] == pytest.approx(0.348, rel=1e-6)
    assert tied.fitted == ("E", "A", "B", "alpha")
    fixed = fit("chinchilla", table, tied={"beta": "alpha"}, fixed={"alpha": 0.348})
    assert (fixed.params["beta"], fixed.fitted) == (0.348, ("E", "A", "B"))
    assert fixed.objective == pytest.approx(0, abs=1e-12)


def test_undertuned_runs_pull_less_where_overestimates_cost_more() -> None:
    table = with_loss(grid(), "chinchilla", CHINCHILLA).with_row_index()
    worse = table.with_columns(loss=pl.col("loss") * pl.when(pl.col("index") % 3 == 0).then(1.02).otherwise(1.0))
    at = {"n_params": 1e8, "n_tokens": 2e9}
    truth = with_loss(pl.DataFrame({k: [v] for k, v in at.items()}), "chinchilla", CHINCHILLA)["loss"][0]
    noise = worse.with_columns(pl.col("loss") * (1 + 0.002 * np.random.default_rng(0).standard_normal(len(worse))))
    even = fit("chinchilla", noise).predict(at)["loss"][0]
    frontier = fit("chinchilla", noise, options=FitOptions(overestimate_penalty=10)).predict(at)["loss"][0]
    assert frontier < even
    assert frontier < truth * 1.001


def test_the_count_of_parameters_is_chosen_by_name() -> None:
    table = with_loss(grid(), "chinchilla", CHINCHILLA).with_columns(n_params_total=pl.col("n_params") + 1e7)
    body, total = fit("chinchilla", table), fit("chinchilla", table, options=FitOptions(count="n_params_total"))
    assert body.params["alpha"] == pytest.approx(0.348, rel=1e-4)
    assert total.params["alpha"] > 0.36
    with pytest.raises(DqError, match="no column `n_params_total`"):
        fit("chinchilla", table.drop("n_params_total"), options=FitOptions(count="n_params_total"))


BAD: dict[str, dict[str, Any]] = {
    "unknown law `chinchila`; did you mean `chinchilla`": {"law": "chinchila"},
    "unknown parameter `alhpa`; did you mean `alpha`": {"fixed": {"alhpa": 1}},
    "A = -1 is no value": {"fixed": {"A": -1}},
    "must be above 0": {"delta": 0},
    "every parameter is fixed": {"fixed": CHINCHILLA},
    "E and alpha are not of one kind": {"tied": {"E": "alpha"}},
    "not beta, which is tied too": {"tied": {"alpha": "beta", "beta": "alpha"}},
}


@pytest.mark.parametrize("message", BAD)
def test_wrong_arguments_are_one_line(message: str) -> None:
    arguments = {"law": "chinchilla", **BAD[message]}
    with pytest.raises(DqError) as caught:
        fit(runs=with_loss(grid(), "chinchilla", CHINCHILLA), **arguments)
    assert message in str(caught.value)


def test_too_few_runs_are_an_error() -> None:
    runs = with_loss(grid(sizes=1), "chinchilla", CHINCHILLA).with_columns(n_params=pl.col("n_tokens") / 7)
    with pytest.raises(DqError, match="5 runs are too few for the 5 parameters of law `chinchilla`; give at least 6"):
        fit("chinchilla", runs)


@pytest.mark.needs_shared
def test_the_240_public_runs_give_the_published_answer(shared: Path) -> None:
    runs = public_runs(shared)
    found = fit("chinchilla", runs)
    assert found.objective <= 0.001018274 * (1 + 1e-6)
    expected = {"A": 477.83, "B": 2143.4, "E": 1.81722, "alpha": 0.34731, "beta": 0.36717}
    assert {name: found.params[name] for name in expected} == pytest.approx(expected, rel=2e-5)
    exact = {"E": math.exp(0.5267228), "A": math.exp(6.0073404), "B": math.exp(6.0179186), "alpha": 0.33917084}
    assert objective_at("chinchilla", runs, {**exact, "beta": 0.2849083}) == pytest.approx(0.00123116, rel=1e-5)
    rounded = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    assert objective_at("chinchilla", runs, rounded) == pytest.approx(0.00412101, rel=1e-5)
    errors = {"E": 0.03, "alpha": 0.02, "beta": 0.02}  # Besiroglu's standard errors, of 4,000 resamples
    for name, error in errors.items():
        interval = found.interval(name)
        assert interval.low is not None and interval.high is not None
        assert (interval.high - interval.low) / 3.92 == pytest.approx(error, rel=0.35)
