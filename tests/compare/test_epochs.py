"""The value of epochs and R*: recovered without noise, silent or flat where runs do not tell, harm left out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dq.compare import Reference, Repeated, compare_runs, effective_tokens, fit_r_star, value_of_epochs
from dq.compare.levels import ArmLosses

BUDGETS = np.array([1e5, 2e5, 4e5, 8e5, 16e5, 32e5], np.float64)


def loss(tokens: float) -> float:
    return float(2 + 1.2 * (tokens / 1e5) ** -0.3)


def fresh(sd: float = 0.0, seeds: int = 3, rng: int = 0) -> ArmLosses:
    draw = np.random.default_rng(rng)
    return ArmLosses({float(t): {str(s): loss(t) + draw.normal(0, sd) for s in range(seeds)} for t in BUDGETS})


def repeated(r_star: float, sd: float = 0.0, *, pool: float = 1e5, rng: int = 1) -> list[Repeated]:
    """One pool, trained on for 2, 4, 8, 16 and 32 times its tokens."""
    draw = np.random.default_rng(rng)
    found = []
    for k in (2.0, 4.0, 8.0, 16.0, 32.0):
        at = float(effective_tokens(np.array([pool]), np.array([k]), r_star)[0])
        losses = {str(seed): loss(at) + draw.normal(0, sd) for seed in range(3)}
        found.append(Repeated("repeated", pool * k, k, losses))
    return found


@pytest.mark.parametrize("r_star", [1.0, 4.0, 15.387756])
def test_r_star_is_recovered_from_losses_without_noise(r_star: float) -> None:
    found = value_of_epochs(fresh(), repeated(r_star), name="curated")
    assert found.r_star is not None and found.r_star.r_star == pytest.approx(r_star, rel=0.02)
    for point in found.points:
        at = float(effective_tokens(np.array([1e5]), np.array([point.epochs]), r_star)[0])
        assert point.worth.ratio == pytest.approx(at / point.worth.tokens, rel=5e-3)
        assert point.expected_loss == pytest.approx(point.worth.loss, abs=2e-3) and not point.harmful


def test_noise_over_seeds_makes_the_interval_hold_the_truth_and_a_profile_around_it() -> None:
    found = value_of_epochs(fresh(0.002), repeated(4.0, 0.002), name="curated").r_star
    assert found is not None and found.weighted and not found.flat
    assert found.low is not None and found.high is not None and found.low < 4.0 < found.high
    least = min(value for _, value in found.profile)
    inside = [r for r, value in found.profile if value <= least + found.threshold]
    assert min(inside) == pytest.approx(found.low, rel=0.2) and max(inside) == pytest.approx(found.high, rel=0.2)
    assert found.in_words.startswith("R* = ")


def test_two_epochs_hardly_determine_r_star_and_are_called_so() -> None:
    curve = Reference(tokens=BUDGETS, losses=np.array([loss(t) for t in BUDGETS]))
    epochs, pool = np.array([1.5, 2.0, 2.0]), np.array([1e5, 1e5, 2e5])
    losses = np.array([loss(t) for t in effective_tokens(pool, epochs, 30.0)]) + np.array([0.004, -0.004, 0.002])
    found = fit_r_star(curve, n_unique=pool, epochs=epochs, losses=losses)
    assert found.flat and found.high is None and found.in_words.startswith("R* is hardly determined by 3 points: above")


def test_few_repeated_runs_have_no_r_star_and_it_is_said_what_is_missing() -> None:
    found = value_of_epochs(fresh(), repeated(4.0)[:2], name="curated")
    assert found.r_star is None and found.missing is not None and found.missing.endswith("of curated; there are 2")
    beyond = value_of_epochs(fresh(), repeated(4.0, pool=5e4), name="curated")
    assert beyond.missing is not None and beyond.missing.endswith("there are 0")


def test_repetition_that_does_harm_is_named_and_left_out() -> None:
    runs = repeated(4.0)
    runs[-1] = Repeated("repeated", runs[-1].n_tokens, 32.0, {str(seed): loss(1e5) + 0.5 for seed in range(3)})
    found = value_of_epochs(fresh(), runs, name="curated")
    assert [point.harmful for point in found.points] == [False] * 4 + [True]
    assert found.r_star is not None and found.r_star.n_points == 4
    assert found.r_star.r_star == pytest.approx(4.0, rel=0.02)


def test_a_table_with_epochs_gives_their_value_beside_the_comparison() -> None:
    rows = [("base", float(t), float(t), loss(t), str(seed)) for t in BUDGETS for seed in range(3)]
    rows += [("base", one.n_tokens, 1e5, value, seed) for one in repeated(4.0) for seed, value in one.losses.items()]
    frame = pl.DataFrame(rows, schema=["variant", "n_tokens", "n_unique", "loss", "seed"], orient="row")
    (group,) = compare_runs(frame).groups
    (value,) = group.epochs
    assert value.fresh == "base" and [point.epochs for point in value.points] == [2, 4, 8, 16, 32]
    assert value.r_star is not None and value.r_star.r_star == pytest.approx(4.0, rel=0.02)
    assert len(value.to_frame()) == 5
