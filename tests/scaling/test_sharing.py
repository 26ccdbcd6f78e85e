"""Sharing of parameters between corpora: refused where they differ, let be where they do not, at the stated rate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from dq.errors import ConfigError
from dq.scaling import Fit, fit, sharing
from tests.command import run_dq
from tests.scaling.tables import CHINCHILLA, grid, with_loss


def variants(changed: dict[str, float], *, seed: int = 0, noise: float = 0.002) -> dict[str, pl.DataFrame]:
    runs = grid(sizes=5)
    curated = {**CHINCHILLA, **changed}
    return {
        "raw": with_loss(runs, "chinchilla", CHINCHILLA, noise=noise, seed=seed),
        "curated": with_loss(runs, "chinchilla", curated, noise=noise, seed=seed + 1000),
    }


def fits(changed: dict[str, float], *, seed: int = 0, delta: float = 1e-3) -> dict[str, Fit]:
    return {name: fit("chinchilla", runs, delta=delta) for name, runs in variants(changed, seed=seed).items()}


def test_other_exponents_are_not_shared_and_equal_ones_may_be() -> None:
    apart = sharing(fits({"beta": 0.45}), ["alpha", "beta"], resamples=100)
    assert apart.refused
    assert apart.p_f < 0.01
    assert apart.df == 2
    assert "alpha and beta must not be shared (p = 0.0099)" in apart.in_words
    alike = sharing(fits({"B": 1500.0}), ["beta"], resamples=100)
    assert not alike.refused
    assert alike.rise >= 0
    low, high = sorted(one["beta"] for one in alike.by_corpus.values())
    assert low <= alike.together["beta"] <= high


def test_exact_tables_of_one_law_share_it_at_no_rise_and_give_it_back() -> None:
    exact = {name: fit("chinchilla", runs) for name, runs in variants({"B": 900.0, "E": 1.7}, noise=0.0).items()}
    found = sharing(exact, ["A", "alpha", "beta"], resamples=2)
    assert found.rise == pytest.approx(0.0, abs=1e-12)
    assert found.together["beta"] == pytest.approx(CHINCHILLA["beta"], rel=1e-4)
    assert found.together["A"] == pytest.approx(CHINCHILLA["A"], rel=1e-3)
    assert found.df == 3


def test_with_a_large_delta_it_is_the_f_test_of_least_squares() -> None:
    both = fits({"beta": 0.375}, seed=3, delta=10.0)
    found = sharing(both, ["beta"], resamples=200)
    left = sum(float((one.solution.residuals**2).sum()) for one in both.values())
    spare = sum(one.n_runs - 5 for one in both.values())
    classic = 2 * found.rise / (left / spare)
    assert 0.02 < found.p < 0.9

    assert found.p_f == pytest.approx(stats.f.sf(classic, 1, spare), abs=0.05)
    assert found.p == pytest.approx(found.p_f, abs=0.1)


@pytest.mark.slow
def test_equal_exponents_are_refused_at_the_stated_rate() -> None:
    refused = [sharing(fits({"B": 1500.0}, seed=seed), ["beta"], resamples=100).refused for seed in range(150)]
    assert 0.01 < np.mean(refused) < 0.1


def test_corpora_that_were_not_fitted_alike_are_refused() -> None:
    both = fits({})
    with pytest.raises(ConfigError, match="at least two corpora"):
        sharing({"raw": both["raw"]}, ["beta"])
    with pytest.raises(ConfigError, match="fitted alike"):
        sharing({**both, "other": fit("kaplan", both["raw"].table)}, ["beta"])
    with pytest.raises(ConfigError, match="did you mean `beta`"):
        sharing(both, ["betta"])
    with pytest.raises(ConfigError, match="no parameter is to be shared"):
        sharing(both, [])


def test_the_command_tests_all_parameters_and_each(tmp_path: Path) -> None:
    table = pl.concat([runs.with_columns(variant=pl.lit(name)) for name, runs in variants({"beta": 0.45}).items()])
    table.write_csv(tmp_path / "r.csv")
    done = run_dq("fit", "r.csv", "--share", "alpha", "--share", "beta", "--fix", "E=1.82", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "law `chinchilla` fitted to each variant alone" in done.stdout
    assert "\nbeta must not be shared" in done.stdout
    assert all(len(one) <= 80 for one in done.stdout.splitlines())
    record = json.loads(run_dq("fit", "r.csv", "--share", "beta", "--json", cwd=tmp_path).stdout)
    assert record["sharing"][0]["p"] < 0.05
    assert set(record["fits"]) == {"raw", "curated"}
    assert "runs of 2 variants are fitted as one text" in fit("chinchilla", table).advice[-1]
    wrong = run_dq("fit", "r.csv", "--share", "beta", "--where", "variant=raw", cwd=tmp_path)
    assert "--share: r.csv: no column `variant` with two variants" in wrong.stderr
