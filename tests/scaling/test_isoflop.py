"""IsoFLOP parabolas and the envelope, against the optimum of a known law: where they are right and where not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.compare import RunTable, read_runs
from dq.errors import FitError
from dq.scaling import fit
from dq.scaling.plans import Surface, approaches, envelope, isoflop
from tests.command import run_dq

E, A, B = 1.69, 406.4, 410.7


def best(flops: float, alpha: float, beta: float) -> float:
    """Hoffmann's closed form."""
    g = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return float(g * (flops / 6) ** (beta / (alpha + beta)))


def levels(
    alpha: float, beta: float, *, width: float, drift: float = 0.0, noise: float = 0.0, seed: int = 0
) -> RunTable:
    """Nine sizes about the optimum of each of six computes, off it by a power of compute."""
    draw = np.random.default_rng(seed)
    rows = []
    for flops in np.geomspace(1e18, 1e22, 6):
        for x in np.linspace(-width, width, 9):
            n = best(flops, alpha, beta) * math.exp(x) * (flops / 1e20) ** drift
            d = flops / 6 / n
            loss = (E + A / n**alpha + B / d**beta) * math.exp(noise * draw.normal())
            rows.append({"n_params": n, "n_tokens": d, "loss": loss})
    return RunTable.of(pl.DataFrame(rows))


def test_equal_exponents_make_parabolas_exact() -> None:
    found = isoflop(levels(0.34, 0.34, width=1.5), resamples=20)
    assert found.exponent.value == pytest.approx(0.5, abs=1e-6)
    assert float(found.n_params(1e24)[0]) == pytest.approx(best(1e24, 0.34, 0.34), rel=1e-5)
    assert float(found.n_tokens(1e24)[0]) == pytest.approx(1e24 / 6 / best(1e24, 0.34, 0.34), rel=1e-5)
    assert np.abs(found.levels["off_centre"].to_numpy()).max() < 1e-6
    assert found.warnings == ()


def test_uneven_exponents_shift_the_vertex_and_wide_grids_more_but_not_the_exponent_of_a_centred_grid() -> None:
    shifts = []
    for width in (0.3, 1.5, 3.0):
        found = isoflop(levels(0.5, 0.25, width=width), resamples=0)
        assert found.exponent.value == pytest.approx(0.25 / 0.75, abs=1e-6)
        shifts.append(float(found.n_params(1e20)[0]) / best(1e20, 0.5, 0.25) - 1)
    assert shifts[0] < 0.01 < shifts[1] < shifts[2]
    # The shift by hand: least squares of c0 + c1 x + c2 x^2 to what the law has at the sizes of a level.
    x = np.linspace(-3, 3, 9)
    c2, c1, _ = np.polyfit(x, 0.25 * np.exp(-0.5 * x) + 0.5 * np.exp(0.25 * x), 2)
    assert shifts[2] == pytest.approx(math.exp(-c1 / (2 * c2)) - 1, rel=1e-6)


def test_a_grid_that_drifts_off_centre_bends_the_exponent_and_is_warned_of() -> None:
    found = isoflop(levels(0.5, 0.25, width=1.5, drift=0.2), resamples=0)
    assert abs((found.exponent.value or 0) - 1 / 3) > 0.005
    assert any("far from the middle of the sizes" in one for one in found.warnings)
    lost = isoflop(levels(0.34, 0.28, width=0.5, drift=0.12), resamples=0)
    assert any("no least loss among the sizes: left out" in one for one in lost.warnings)
    assert len(lost.levels) < 6


def test_intervals_hold_the_exponent_where_there_is_no_bias() -> None:
    held = 0
    for seed in range(60):
        found = isoflop(levels(0.34, 0.34, width=1.5, noise=0.003, seed=seed), resamples=200, seed=seed).exponent
        held += (found.low or 9) <= 0.5 <= (found.high or 0)
    assert held >= 51  # 60 intervals of 95 %: fewer than 52 in 1 of 250 tables


def test_the_envelope_of_many_sizes_finds_the_exponent_and_few_sizes_are_refused() -> None:
    def grid(sizes: int) -> RunTable:
        rows = [
            {"n_params": n, "n_tokens": n * k, "loss": E + A / n**0.34 + B / (n * k) ** 0.28}
            for n in np.geomspace(1e7, 1e10, sizes)
            for k in np.geomspace(2, 2000, 15)
        ]
        return RunTable.of(pl.DataFrame(rows))

    found = envelope(grid(25), noise=0.001, resamples=50)
    assert found.exponent.value == pytest.approx(0.28 / 0.62, abs=0.01)
    assert (found.exponent.low or 9) < (found.exponent.high or 0)
    middle = float(np.sqrt(found.optima["flops"][0] * found.optima["flops"][-1]))
    assert float(found.n_params(middle)[0]) == pytest.approx(best(middle, 0.34, 0.28), rel=0.1)
    assert envelope(grid(25)).exponent.low is None
    with pytest.raises(FitError, match="2 sizes have two budgets or more, and an envelope wants 3"):
        envelope(grid(2))
    with pytest.raises(FitError, match=r"runs: 0 levels of equal compute .* have 4 sizes, and a power law wants 3"):
        isoflop(grid(3))


def test_the_bias_on_a_laws_own_losses_is_told() -> None:
    runs = levels(0.5, 0.25, width=3.0)
    found = approaches([Surface.of(fit("chinchilla", runs), resamples=10)], resamples=10)
    (split,) = found.splits(1e20)  # no size has two budgets
    assert split.bias["chinchilla"] == pytest.approx((split.n_params.value or 0) / best(1e20, 0.5, 0.25), rel=1e-3)
    assert split.bias["chinchilla"] > 1.1
    assert found.laws["chinchilla"].value == pytest.approx(1 / 3, abs=1e-3)
    assert "no envelope" in found.notes[0]
    assert len(found.to_dict()["ways"][0]["found"]["levels"]) == 6
    assert "a parabola's vertex is off where loss rises unevenly" in " ".join(found.in_words)


def test_the_command_shows_levels_bias_and_figure(tmp_path: Path) -> None:
    levels(0.34, 0.28, width=1.5, noise=0.002).frame.write_csv(tmp_path / "r.csv")
    done = run_dq("fit", "r.csv", "--isoflop", "--figures", "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "isoFLOP: the least loss by a parabola" in said
    assert "Bias of isoFLOP parabolas on these runs: from the losses of law `chinchilla`" in said
    assert (tmp_path / "page" / "runs-isoflop-1.svg").read_text().count("<polyline") == 6
    assert "IsoFLOP parabolas" in (tmp_path / "page" / "index.html").read_text()
    wrong = run_dq("fit", "r.csv", "--isoflop", "--law", "curve", cwd=tmp_path)
    assert "--isoflop" in wrong.stderr
    assert "give a --law of parameters and tokens" in wrong.stderr


@pytest.mark.needs_shared
def test_published_runs_give_what_was_published_of_them(shared: Path) -> None:
    """Hoffmann 2022, table 2: exponents of N by parabolas .49 (.462 to .534)."""
    found = isoflop(read_runs(shared / "data/runs/chinchilla_besiroglu_245.csv", where=["loss<4"]))
    assert 0.462 < (found.exponent.value or 0) < 0.534
