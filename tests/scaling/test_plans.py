"""Plans, against closed forms and brute force on runs that follow a law exactly or with known noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from dq.compare import RunTable
from dq.errors import ConfigError, FitError, InputError
from dq.scaling import Fit, fit
from dq.scaling.plans import (
    BackTest,
    Quantity,
    Questions,
    Surface,
    answer,
    best_epochs,
    cautions_on,
    cheapest_lifetime,
    choose_variant,
    compute_optimal,
    forecast,
    predict_runs,
    read_forecast,
    repeat_or_noise,
    sample_efficiency,
    saturation,
    score_forecast,
    tokens_for_loss,
    write_forecast,
)
from dq.scaling.plans.back_test import look_ahead
from dq.scaling.points import as_loss
from tests.scaling.tables import public_runs, with_loss

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28  # Hoffmann 2022


LAWS = ("chinchilla", "gadre")


def law(n: float, d: float, *, e: float = E, b: float = B) -> float:
    return float(e + A / n**ALPHA + b / d**BETA)


def grid(*, noise: float = 0.0, seed: int = 0, b: float = B) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    rows = [
        {"n_params": n, "n_tokens": n * ratio, "loss": law(n, n * ratio, b=b) * math.exp(noise * draw.normal())}
        for n in np.geomspace(1e7, 3e9, 7)
        for ratio in (2.0, 5.0, 12.0, 30.0, 80.0)
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def exact() -> Surface:
    return Surface.of(fit("chinchilla", grid()), resamples=20)


@pytest.fixture(scope="module")
def noisy() -> Fit:
    return fit("chinchilla", grid(noise=0.004))


def test_the_best_split_is_that_of_the_closed_form(exact: Surface) -> None:
    flops = 5.76e23
    plan = compute_optimal(exact, flops)
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    assert plan.n_params.value == pytest.approx(g * (flops / 6) ** (BETA / (ALPHA + BETA)), rel=1e-4)
    assert plan.n_tokens.value == pytest.approx((flops / 6) ** (ALPHA / (ALPHA + BETA)) / g, rel=1e-4)
    assert plan.loss.value == pytest.approx(law(plan.n_params.value or 0, plan.n_tokens.value or 0), rel=1e-6)
    rule = math.sqrt(flops / 120)
    assert plan.rule_cost.value == pytest.approx(law(rule, 20 * rule) - (plan.loss.value or 0), rel=1e-3)
    assert "extrapolated" in cautions_on([plan])[0]


def test_intervals_of_a_plan_hold_the_truth_and_are_not_empty(noisy: Fit) -> None:
    plan = compute_optimal(Surface.of(noisy, resamples=300), 1e21)
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    truth = g * (1e21 / 6) ** (BETA / (ALPHA + BETA))
    low, high = plan.n_params.low or 0, plan.n_params.high or 0
    assert low < truth < high
    assert low < (plan.n_params.value or 0) < high


def test_a_law_of_one_size_has_no_best_size() -> None:
    runs = grid().filter(pl.col("n_params") == pl.col("n_params").min())
    plan = compute_optimal(Surface.of(fit("chinchilla", runs), resamples=5), 1e19)
    assert plan.n_params.value is None
    assert "train more sizes" in plan.in_words


def test_tokens_for_a_loss_reach_it_and_none_reach_below_the_floor(exact: Surface) -> None:
    target = law(1e9, 3e10)
    one, other = tokens_for_loss(exact, target, sizes=[1e9, 1e7])
    assert one.n_tokens.value == pytest.approx(3e10, rel=1e-4)
    assert other.n_tokens.value is None
    assert law(1e7, math.inf) > target
    assert "never get to 2.523: no amount of text brings them below" in other.in_words
    assert other.least_loss.value == pytest.approx(law(1e7, math.inf), rel=1e-3)
    pool = tokens_for_loss(exact, target, sizes=[1e9], unique_tokens=1e10)[0]
    assert "the pool has 10B, which leaves 20B to be found" in pool.in_words


def test_efficiency_is_in_tokens_of_the_reference(exact: Surface) -> None:
    same, larger = sample_efficiency(exact, n_params=1e9, n_tokens=2e10, sizes=[1e9, 4e9])
    assert same.ratio is not None
    assert same.ratio.value == pytest.approx(1, rel=1e-9)
    assert larger.ratio is not None
    assert law(4e9, 2e10 * (larger.ratio.value or 0)) == pytest.approx(law(1e9, 2e10), rel=1e-6)


def test_use_makes_the_cheapest_model_smaller_as_brute_force_says(exact: Surface) -> None:
    target, use = 2.2, 2e12

    def tokens(n: float) -> float:
        left = target - E - A / n**ALPHA
        return float((B / left) ** (1 / BETA)) if left > 0 else math.inf

    def cost(log_n: float, t: float) -> float:
        n = math.exp(log_n)
        return 6 * n * tokens(n) + 2 * n * t

    plan = cheapest_lifetime(exact, target, inference_tokens=use)
    bounds = (math.log(1.2e9), math.log(1e12))
    best, trained = (minimize_scalar(cost, bounds=bounds, args=(t,), method="bounded") for t in (use, 0.0))
    assert plan.n_params.value == pytest.approx(math.exp(best.x), rel=2e-3)
    assert plan.flops.value == pytest.approx(best.fun, rel=1e-4)
    assert plan.n_tokens.value == pytest.approx(tokens(plan.n_params.value or 0), rel=1e-3)
    assert plan.training_only_params.value == pytest.approx(math.exp(trained.x), rel=2e-3)
    assert plan.saving.value == pytest.approx(1 - best.fun / cost(trained.x, use), rel=1e-2)
    assert cheapest_lifetime(exact, 1.6, inference_tokens=use).n_params.value is None


def test_a_doubling_is_judged_under_two_laws_at_least(noisy: Fit) -> None:
    coupled = fit("coupled", grid(noise=0.004))
    surfaces = [Surface.of(one, resamples=100) for one in (noisy, coupled)]
    small, large = saturation(surfaces, 1e15), saturation(surfaces, 1e26)
    assert (small.answer, large.answer) == ("under-scaled", "saturated")
    now, then = (law(*best) for best in (_best(1e15), _best(2e15)))
    assert small.by_law[0].nats.value == pytest.approx(now - then, rel=0.05)
    with pytest.raises(ConfigError, match="at least two"):
        saturation(surfaces[:1], 1e20)


def _best(flops: float) -> tuple[float, float]:
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    n = g * (flops / 6) ** (BETA / (ALPHA + BETA))
    return n, flops / 6 / n


def test_a_clear_variant_is_chosen_and_alike_ones_are_not() -> None:
    at = {"n_params": 1e10, "n_tokens": 2e11}
    fits = {name: fit("chinchilla", grid(noise=0.002, seed=seed, b=b)) for seed, (name, b) in enumerate(
        {"raw": B, "curated": 0.8 * B, "alike": B}.items()
    )}  # fmt: skip
    clear = choose_variant({name: fits[name] for name in ("raw", "curated")}, at)
    assert [one.variant for one in clear.variants] == ["curated", "raw"]
    assert clear.decided
    assert clear.seen[0] == "curated"
    truth = law(1e10, 2e11) - law(1e10, 2e11, b=0.8 * B)
    gap = clear.variants[1].difference
    assert (gap.low or 0) < truth < (gap.high or 0)
    alike = choose_variant({name: fits[name] for name in ("raw", "alike")}, at)
    assert not alike.decided
    assert "undecided" in alike.in_words
    assert 0 < alike.variants[0].regret < 0.05
    with pytest.raises(ConfigError, match="at least two"):
        choose_variant({"raw": fits["raw"]}, at)


def test_a_forecast_is_kept_scored_and_never_replaced(noisy: Fit, tmp_path: Path) -> None:
    targets = [{"n_params": 6e9, "n_tokens": 1.2e11}, {"n_params": 2e10, "n_tokens": 4e11}]
    path = tmp_path / "forecast.json"
    write_forecast(path, forecast(noisy, targets))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="never replaced"):
        write_forecast(path, forecast(noisy, targets))
    assert path.read_bytes() == before
    run = {**targets[0], "loss": law(6e9, 1.2e11)}
    score = score_forecast(read_forecast(path), RunTable.of(pl.concat([grid(), pl.DataFrame([run])])))
    assert (len(score.scored), score.waiting) == (1, 1)
    assert score.scored["inside"].to_list() == [True]
    assert abs(score.scored["error"][0]) < 0.01
    assert score.beyond == pytest.approx(6e9 * 1.2e11 / (3e9 * 80 * 3e9), rel=1e-6)
    none = score_forecast(read_forecast(path), RunTable.of(grid()))
    assert none.in_words == "none of the 2 targets has run"


def test_what_has_run_is_not_forecast_and_what_is_no_forecast_is_one_line(noisy: Fit, tmp_path: Path) -> None:
    with pytest.raises(FitError, match="a forecast comes before its targets"):
        forecast(noisy, [{"n_params": 1e7, "n_tokens": 2e7}])
    for content in ("", "[]", '{"law": "x"}', "\x00"):
        (tmp_path / "f.json").write_text(content)
        with pytest.raises(InputError, match=r"f\.json"):
            read_forecast(tmp_path / "f.json")
    with pytest.raises(InputError, match="No such file"):
        read_forecast(tmp_path / "none.json")


def bent(runs: pl.DataFrame) -> pl.DataFrame:
    """Losses that leave the law ever more from 1e19 FLOPs on."""
    over = (6 * pl.col("n_params") * pl.col("n_tokens") / 1e19).log().clip(0, None)
    return runs.with_columns(loss=pl.col("loss") * (0.001 * over**2).exp())


def test_a_forecast_is_as_wide_as_the_law_missed_when_it_looked_as_far_ahead() -> None:
    at = [{"n_params": 6e9, "n_tokens": 6e11}]
    truth = bent(pl.DataFrame(at).with_columns(loss=pl.lit(law(6e9, 6e11))))["loss"][0]
    wrong = fit("chinchilla", bent(grid(noise=0.001)))
    (ahead,), plain = look_ahead(wrong, at), wrong.predict(pl.DataFrame(at))
    assert ahead.tested is not None
    assert (ahead.tested.factor, ahead.tested.looks) == (16, 8)
    assert not plain["run_low"][0] <= truth <= plain["run_high"][0]
    assert ahead.row["run_low"] <= truth <= ahead.row["run_high"]
    assert forecast(wrong, at).targets[0].high == ahead.row["run_high"]
    assert f"before, it was {100 * ahead.tested.error:.1f} % off" in predict_runs(wrong, at)[0].in_words
    assert look_ahead(wrong, [{"n_params": 1e8, "n_tokens": 2e9}])[0].tested is None
    hundredfold = BackTest(factor=10.0, looks=3, seen=20, error=0.01)
    assert hundredfold.at(100.0) == pytest.approx(0.02)
    assert hundredfold.at(2.0) == 0.01


@pytest.mark.needs_shared
def test_public_runs_end_within_what_was_forecast_from_the_smaller_ones(shared: Path) -> None:
    runs = public_runs(shared)
    compute = 6 * runs["n_params"] * runs["n_tokens"]
    cut = compute.quantile(0.65)
    assert cut is not None
    seen, ahead = runs.filter(compute <= cut), runs.filter((compute > 2 * cut) & (compute <= 8 * cut))
    found = forecast(fit("chinchilla", seen), ahead.select("n_params", "n_tokens").to_dicts())
    score = score_forecast(found, RunTable.of(ahead))
    assert len(score.scored) > 40 and score.scored["inside"].sum() > 0.9 * len(score.scored)  # the fit's own: a third


def test_an_interval_without_an_end_is_a_number() -> None:
    low, high = as_loss(np.array([-1e4, 1e4]))
    assert 0 < low < 1e-40 and 1e40 < high < math.inf


def test_variants_without_fresh_runs_are_named() -> None:
    again = grid().with_columns(n_unique=pl.col("n_tokens") / 4, variant=pl.lit("repeated"))
    fresh = grid().with_columns(n_unique=pl.col("n_tokens"), variant=pl.lit("raw"))
    with pytest.raises(FitError, match="all 35 runs of repeated repeat their text or have noise"):
        answer(RunTable.of(pl.concat([fresh, again])), Questions(sizes=(1e9,), n_tokens=(1e10,)), laws=["chinchilla"])


def test_quantities_say_when_refits_have_no_value() -> None:
    assert Quantity.of(np.array([2.0, 1.0, 3.0])).low is not None
    some = Quantity.of(np.array([2.0, 1.0, np.nan]))
    assert (some.value, some.low, some.reached) == (2.0, None, 0.5)
    assert "50% of the refits" in some.in_words()


def test_each_question_is_answered_whose_numbers_are_there() -> None:
    runs = RunTable.of(grid(noise=0.002))
    found = answer(
        runs, Questions(flops=1e21, loss=2.3, sizes=(3e9, 1e9), n_tokens=(6e10,), inference_tokens=1e12), laws=LAWS
    )
    kinds = [type(one).__name__ for one in found.answers]
    split = ["ComputePlan", "ComputePlan", "Saturation"]
    by_law = ["Prediction"] * 4 + ["EfficiencyPlan"] * 6 + ["LifetimePlan"] * 2
    assert kinds == [*split, *by_law]
    assert [one.law for one in found.bases] == [*LAWS]
    assert found.forecaster == "chinchilla"  # which made the runs
    assert len(found.by_question) == 7
    assert all(found.in_words)
    assert "the runs determine" in found.bases[0].in_words
    with pytest.raises(ConfigError, match="nothing is asked"):
        answer(runs, Questions())
    with pytest.raises(FitError, match="nothing is known of repetition"):
        answer(runs, Questions(flops=1e21, unique_tokens=1e9))
    with pytest.raises(ConfigError, match="did you mean"):
        answer(runs, Questions(flops=1e21), laws=["chinchila"])
    with pytest.raises(FitError, match="law `curve` knows nothing of sizes"):
        answer(runs, Questions(flops=1e21), laws=["curve"])
    with pytest.raises(FitError, match="runs are too few for the 5 parameters of law `chinchilla`"):
        answer(RunTable.of(runs.frame.gather_every(9)), Questions(flops=1e21))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": -1.0}, "`loss` must be above 0"),
        ({"epochs": (1.0,)}, "`epochs` must be above 1"),
        ({"epochs": (2.0,), "sizes": (1e9,)}, "`epochs` asks nothing on its own: give a size .* and the unique tokens"),
        ({"sizes": (1e9,), "flops": 1e21}, "`sizes` asks nothing"),
        ({"n_tokens": (1e9,), "flops": 1e21}, "`n_tokens` asks nothing"),
        ({"unique_tokens": 1e9}, "`unique_tokens` asks nothing"),
        ({"loss": 2.0}, "`loss` asks nothing"),
        ({"inference_tokens": 1e12, "flops": 1e21}, "`inference_tokens` asks nothing .* a target loss"),
        ({"noise_exponent": 0.4, "flops": 1e21}, "`noise_exponent` asks nothing"),
    ],
)
def test_a_number_that_answers_nothing_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Questions(**wrong)


def test_repeated_and_noisy_runs_stay_out_of_laws_of_fresh_text() -> None:
    fresh = grid().with_columns(n_unique=pl.col("n_tokens"), dose=pl.lit(0.0))
    repeated = fresh.with_columns(n_unique=pl.col("n_tokens") / 8, loss=pl.col("loss") + 0.3)
    noisy = fresh.with_columns(dose=pl.lit(0.4), loss=pl.col("loss") + 0.2)
    found = answer(
        RunTable.of(pl.concat([fresh, repeated, noisy])), Questions(flops=1e21), laws=["chinchilla"], resamples=10
    )
    assert found.surfaces["chinchilla"].fit.params["E"] == pytest.approx(E, rel=1e-3)
    assert found.notes[0] == "laws of fresh text: 70 of 105 runs left out, repeated or noisy"


def test_several_variants_are_chosen_between() -> None:
    table = pl.concat([
        grid(noise=0.002, seed=seed, b=b).with_columns(variant=pl.lit(name))
        for seed, (name, b) in enumerate({"raw": B, "curated": 0.8 * B}.items())
    ])  # fmt: skip
    found = answer(RunTable.of(table), Questions(sizes=(1e10,), n_tokens=(2e11,)), laws=["chinchilla"], resamples=40)
    assert found.in_words[0].startswith("law `chinchilla`: curated, ")
    assert "before raw" in found.in_words[0]
    with pytest.raises(ConfigError, match=r"several variants \(curated, raw\): ask which is best at a size"):
        answer(RunTable.of(table), Questions(flops=1e21))


R_D, GAMMA = 15.4, 0.4


def repeated_loss(n: float, d: float, u: float) -> float:
    """Muennighoff's law where parameters are fewer than are optimal for U, with alpha = beta."""
    worth = u * (1 + R_D * (1 - math.exp(-(d / u - 1) / R_D)))
    return float(1.8 + 500.0 / n**0.35 + 1500.0 / worth**0.35)


@pytest.fixture(scope="module")
def repetition() -> Surface:
    rows = [
        {"n_params": n, "n_tokens": k * u, "n_unique": u, "loss": repeated_loss(n, k * u, u)}
        for n in (1e6, 3e6, 1e7)
        for u in (1e9, 4e9, 1.6e10)
        for k in (1, 2, 4, 8, 16, 32)
    ]
    return Surface.of(fit("muennighoff", pl.DataFrame(rows), fixed={"R_N": 5.3}), resamples=10)


def test_epochs_are_worth_what_the_law_says_and_a_dose_of_noise_as_much(repetition: Surface) -> None:
    by_exponent = repeat_or_noise(repetition, GAMMA, n_params=3e6, unique_tokens=4e9, epochs=[2, 4, 16])
    for one in by_exponent:
        k = one.epochs
        worth = (1 + R_D * (1 - math.exp(-(k - 1) / R_D))) / k
        assert one.worth.value == pytest.approx(worth, rel=1e-3)
        assert one.dose.value == pytest.approx(1 - worth ** (0.35 / GAMMA), rel=5e-3)
    doses = [one.dose.value or 0 for one in by_exponent]
    assert doses == sorted(doses)

    rows = [
        {"n_params": n, "n_tokens": d, "dose": q, "loss": 2.0 + 300 / n**0.3 + 1500.0 / (d**0.35 * (1 - q) ** GAMMA)}
        for n in (1e6, 3e6, 1e7)
        for d in (1e9, 4e9, 3e10)
        for q in (0.0, 0.1, 0.3, 0.6)
    ]
    noise = Surface.of(fit("noise", pl.DataFrame(rows)), resamples=10)
    for one, other in zip(
        repeat_or_noise(repetition, noise, n_params=3e6, unique_tokens=4e9, epochs=[2, 4, 16]), by_exponent, strict=True
    ):
        assert one.dose.value == pytest.approx(other.dose.value, abs=5e-3)  # though of another floor and level


def test_a_scarce_pool_is_repeated_as_brute_force_says(repetition: Surface) -> None:
    flops, pool = 1e22, 4e9
    plan = best_epochs(repetition, flops, unique_tokens=pool)
    sizes = np.geomspace(1e6, 1e13, 40_001)
    tokens = flops / 6 / sizes
    law = repetition.loss({"n_params": sizes, "n_tokens": tokens, "n_unique": np.minimum(tokens, pool)})[0]
    assert plan.n_params.value == pytest.approx(sizes[law.argmin()], rel=5e-3)
    assert plan.loss.value == pytest.approx(law.min(), rel=1e-7)
    assert plan.epochs.value == pytest.approx(tokens[law.argmin()] / pool, rel=5e-3)
    assert (plan.cost.value or 0) > 0
    plenty = best_epochs(repetition, flops, unique_tokens=1e15)
    assert (plenty.epochs.value or 9) < 1
    assert plenty.cost.value == pytest.approx(0, abs=1e-9)


def test_epochs_have_a_worth_without_any_noise_and_more_than_were_run_are_named(repetition: Surface) -> None:
    seen, more = repeat_or_noise(repetition, None, n_params=3e6, unique_tokens=4e9, epochs=[32, 64])
    assert (seen.dose.value, seen.noise, seen.caution) == (None, "", "")
    assert "no run saw its text more than 32 times" in more.caution


def test_a_half_life_of_epochs_has_intervals_too() -> None:
    rows = [{"n_params": 1e8, "n_tokens": k * u, "n_unique": u} for u in (1e9, 4e9, 2e10) for k in (1, 2, 4, 9)]
    example = {"E": 1.9, "B": 1200.0, "beta": 0.33, "tau": 3.0}
    surface = Surface.of(fit("goyal", with_loss(pl.DataFrame(rows), "goyal", example, noise=1e-3)), resamples=20)
    one = repeat_or_noise(surface, GAMMA, n_params=1e8, unique_tokens=4e9, epochs=[4])[0]
    weight = [0.5 ** (j / 3) for j in range(4)]
    worth = math.exp(sum(w * math.log((j + 1) / max(j, 1)) for j, w in enumerate(weight))) / 4
    assert one.worth.value == pytest.approx(worth, rel=0.02)
    assert (one.worth.low or 0) < worth < (one.worth.high or 0)
    with pytest.raises(FitError, match="knows nothing of sizes"):
        best_epochs(surface, 1e20, unique_tokens=1e9)


def test_laws_that_know_nothing_of_it_are_refused(exact: Surface) -> None:
    with pytest.raises(FitError, match="knows nothing of repetition"):
        best_epochs(exact, 1e20, unique_tokens=1e9)
    with pytest.raises(FitError, match="knows nothing of repetition"):
        repeat_or_noise(exact, GAMMA, n_params=1e6, unique_tokens=1e9, epochs=[2])
