"""Arms of one size and budget: Dunnett against the baseline, Holm over pairs, Welch without common seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from dq.compare import ArmsComparison, Difference, Outcome, compare_arms
from dq.errors import CompareError

EFFECTS = {"raw": 0.0, "better": -0.05, "same": 0.0, "worse": 0.06}


def arms(
    effects: Mapping[str, float] = EFFECTS, *, seeds: int = 4, sd: float = 0.005, rng: int = 3
) -> dict[str, dict[str, float]]:
    draw = np.random.default_rng(rng)
    common = draw.normal(0, 0.1, seeds)
    return {
        name: {str(seed): 3 + effect + common[seed] + draw.normal(0, sd) for seed in range(seeds)}
        for name, effect in effects.items()
    }


def of(found: ArmsComparison, name: str) -> Difference:
    return next(one for one in found.differences if one.variant == name)


def values(arm: Mapping[str, float]) -> list[float]:
    return list(arm.values())


def test_variants_are_judged_together_on_the_spread_that_they_share() -> None:
    data = arms()
    found = compare_arms(data, baseline="raw", margin=0.02)
    outcomes = {one.variant: one.outcome for one in found.differences}
    assert outcomes == {"better": Outcome.BETTER, "same": Outcome.EQUIVALENT, "worse": Outcome.WORSE}
    one = of(found, "same")
    assert one.interval is not None and one.interval.label == "for 3 variants together, spread pooled, 6 df"
    assert one.difference == pytest.approx(np.mean(values(data["same"])) - np.mean(values(data["raw"])))
    variances = [np.var(np.subtract(values(data[a]), values(data[b])), ddof=1) for a in data for b in data if a < b]
    against = [np.var(np.subtract(values(data[a]), values(data["raw"])), ddof=1) for a in data if a != "raw"]
    pooled = max(np.mean(variances), np.mean(against))
    dunnett = 3.10  # of his table: 3 comparisons, 6 degrees of freedom, two-sided 95 %
    assert one.interval.high - one.difference == pytest.approx(dunnett * math.sqrt(pooled / 4), rel=2e-3)


def test_without_a_margin_nothing_is_equivalent() -> None:
    found = compare_arms(arms(), baseline="raw")
    assert [one.outcome for one in found.differences] == [Outcome.BETTER, Outcome.UNDECIDED, Outcome.WORSE]


def test_a_single_variant_has_the_paired_t_interval_and_no_pairs() -> None:
    data = arms({"raw": 0.0, "a": 0.01})
    found = compare_arms(data, baseline="raw")
    one = of(found, "a")
    expected = stats.ttest_rel(values(data["a"]), values(data["raw"]))
    interval = expected.confidence_interval()
    assert one.interval is not None and one.p == pytest.approx(expected.pvalue)
    assert (one.interval.low, one.interval.high) == pytest.approx((interval.low, interval.high))
    assert found.pairs == () and one.interval.decided_by == "seeds"


def test_runs_without_common_seeds_are_compared_by_welch() -> None:
    data = arms({"raw": 0.0, "a": -0.3})
    data["a"] = {f"other {seed}": loss for seed, loss in data["a"].items()} | {"more": 2.7}
    found = compare_arms(data, baseline="raw")
    one = of(found, "a")
    expected = stats.ttest_ind(values(data["a"]), values(data["raw"]), equal_var=False)
    interval = expected.confidence_interval()
    assert one.interval is not None and not one.paired and one.p == pytest.approx(expected.pvalue)
    assert (one.interval.low, one.interval.high) == pytest.approx((interval.low, interval.high))
    assert any("Welch" in note for note in found.notes)


def test_an_arm_with_seeds_of_its_own_leaves_the_others_their_common_spread() -> None:
    data = arms()
    data["worse"] = {f"other {seed}": loss for seed, loss in data["worse"].items()}
    labels = {one.variant: one.interval.label for one in compare_arms(data, baseline="raw").differences if one.interval}
    assert labels == {
        "better": "for 3 variants together, spread pooled, 4.8 df",
        "same": "for 3 variants together, spread pooled, 4.8 df",
        "worse": "for 3 variants together, own spread, seeds apart",
    }


def test_pairs_are_told_apart_by_holms_rule() -> None:
    found = compare_arms(arms(), baseline="raw")
    assert len(found.pairs) == 6
    alone = [one.p or 0.0 for one in found.pairs]
    assert alone == sorted(alone)
    expected = np.maximum.accumulate(np.minimum(1, np.array(alone) * np.arange(6, 0, -1)))
    assert [one.p_holm for one in found.pairs] == pytest.approx(expected.tolist())
    told = {frozenset((one.variant, one.baseline)) for one in found.pairs if one.outcome is not Outcome.UNDECIDED}
    assert told == {frozenset(pair) for pair in [
        ("raw", "better"), ("raw", "worse"), ("same", "better"), ("same", "worse"), ("better", "worse")
    ]}  # fmt: skip


def test_arms_seen_too_often_share_no_spread_in_pairs_either() -> None:
    apart = {"worse": "16 epochs, more than 4"}
    found = compare_arms(arms(), baseline="raw", apart=apart)
    (pair,) = (one for one in found.pairs if {one.variant, one.baseline} == {"worse", "raw"})
    assert pair.interval is not None and pair.interval.df == 3
    assert "worse has an interval of its own spread: 16 epochs, more than 4" in found.notes


def test_fewer_than_three_runs_say_nothing_of_how_sure_they_are() -> None:
    found = compare_arms(arms(seeds=2), baseline="raw")
    assert {(one.outcome, one.interval, one.p) for one in found.differences} == {(Outcome.NO_VERDICT, None, None)}
    assert {one.p_holm for one in found.pairs} == {None}


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(CompareError, match="nothing to compare with 'raw'"):
        compare_arms({"raw": {"0": 1.0}}, baseline="raw")
