"""Controls: comparisons whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from dq.compare import (
    Comparison,
    ControlStatus,
    Options,
    Pool,
    judge_aa,
    judge_noise_control,
    judge_repeat,
    judge_unigram,
    paired,
)
from dq.compare.tables import FloatArray
from dq.errors import CompareError

Make = Callable[..., pl.DataFrame]
MARGIN = 0.01
# Standing differences between seeds, per byte, in units of their standard error: about 1.0 over three seeds.
SEEDS = np.array([[-1.0], [0.0], [1.0]]) * np.sqrt(3)


def shifted(losses_of: Make, difference: float, standard_error: float) -> Comparison:
    """A comparison of 3 seeds with this difference and standard error, documents in perfect agreement."""
    per_byte = difference + standard_error * np.repeat(SEEDS, 50, axis=1)
    losses = losses_of(per_byte * 1_000, n_bytes=[1_000] * 50)
    return paired(losses, variant="variant", baseline="baseline", sets=["neutral"], options=Options(resamples=20))


def arms_of(n_arms: int, n_seeds: int, *, seed: int, fault: float = 0.0) -> FloatArray:
    """Levels of arms that share half of their spread over seeds, sd 1 each; the first arm's odd seeds are off."""
    generator = np.random.default_rng(seed)
    levels = generator.normal(size=n_seeds) + generator.normal(size=(n_arms, n_seeds))
    levels[0, 1::2] += fault * np.sqrt(2)
    found: FloatArray = 3.0 + levels / np.sqrt(2)
    return found


@pytest.mark.parametrize(("n_seeds", "found_in"), [(3, 0.97), (5, 1.0), (8, 1.0)])
def test_an_aa_control_finds_a_fault_of_ten_spreads(n_seeds: int, found_in: float) -> None:
    found = [judge_aa(arms_of(4, n_seeds, seed=seed, fault=10.0), margin=MARGIN).status for seed in range(200)]
    assert found.count(ControlStatus.FAILED) >= found_in * 200


@pytest.mark.parametrize("n_seeds", [3, 5, 8])
def test_honest_aa_controls_fail_one_time_in_a_hundred_at_most_by_chance(n_seeds: int) -> None:
    found = [judge_aa(arms_of(4, n_seeds, seed=seed), margin=1e-9).status for seed in range(300)]
    assert found.count(ControlStatus.FAILED) <= 8


def test_an_aa_control_does_not_see_what_moves_every_arm_alike() -> None:
    levels = arms_of(4, 6, seed=1)
    before, after = judge_aa(levels, margin=MARGIN), judge_aa(levels + 5.0 * (np.arange(6) % 2), margin=MARGIN)
    assert before.interval is not None and after.interval is not None
    assert (before.interval.low, before.interval.high) == pytest.approx((after.interval.low, after.interval.high))


def test_an_aa_control_uses_the_seeds_that_each_arm_has() -> None:
    levels = arms_of(4, 8, seed=2, fault=10.0)
    levels[2:, 5:] = np.nan  # decided at an earlier look
    found = judge_aa(levels, margin=MARGIN)
    assert found.status is ControlStatus.FAILED
    assert found.interval is not None and found.interval.df == 26 - 4 - 8
    json.dumps(found.to_dict(), allow_nan=False)


def test_an_aa_control_of_equal_arms_is_the_difference_of_the_halves() -> None:
    levels = np.array([[1.0, 4.0, 1.0, 4.0], [2.0, 2.0, 2.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    found = judge_aa(levels, margin=MARGIN)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((3.0, 3.0))


def test_a_difference_within_the_margin_fails_no_aa_control() -> None:
    levels = arms_of(4, 5, seed=3, fault=10.0)
    assert judge_aa(levels, margin=50.0).status is ControlStatus.PASSED


@pytest.mark.parametrize(("margins", "weak"), [(9.9, False), (10.1, True)])
def test_an_aa_control_says_when_it_could_hardly_fail(margins: float, weak: bool) -> None:
    levels = arms_of(4, 5, seed=4)
    probe = judge_aa(levels, margin=MARGIN)
    assert probe.interval is not None
    half_width = (probe.interval.high - probe.interval.low) / 2
    found = judge_aa(levels, margin=half_width / margins)
    assert found.detectable == pytest.approx(half_width)
    assert found.could_hardly_fail is weak and ("could hardly fail" in found.reason) is weak


@pytest.mark.parametrize(("n_arms", "n_seeds"), [(3, 1), (2, 2), (1, 8)])
def test_seeds_that_cannot_be_halved_are_not_judged(n_arms: int, n_seeds: int) -> None:
    found = judge_aa(arms_of(n_arms, n_seeds, seed=5), margin=MARGIN)
    assert found.status is ControlStatus.NOT_JUDGED and "too few seeds to halve" in found.reason


# The t quantile at 95 % with 2 degrees of freedom is 4.30.
@pytest.mark.parametrize(
    ("difference", "standard_error", "status"),
    [
        (0.5, 0.5 / 4.4, ControlStatus.PASSED),
        (0.5, 0.5 / 4.2, ControlStatus.FAILED),
        (-0.5, 0.01, ControlStatus.FAILED),
        (0.005, 0.0001, ControlStatus.FAILED),
    ],
    ids=["worse", "undecided", "better", "equivalent"],
)
def test_replaced_tokens_must_be_worse(
    losses_of: Make, difference: float, standard_error: float, status: ControlStatus
) -> None:
    found = judge_noise_control(shifted(losses_of, difference, standard_error), margin=MARGIN, pool=None)
    assert found.status is status
    assert ("look for a fault" in found.reason) == (status is ControlStatus.FAILED)


POOL = Pool(spreads=(), members=("a", "b", "c"), variance=0.01, df=6)


# With 6 degrees of freedom the quantile is 2.45, and one seed's difference has a standard deviation of 0.1.
@pytest.mark.parametrize(
    ("effect", "status"), [(0.3, ControlStatus.PASSED), (0.2, ControlStatus.FAILED), (-0.5, ControlStatus.FAILED)]
)
def test_one_seed_of_replaced_tokens_is_judged_by_the_spread_of_the_arms(
    losses_of: Make, effect: float, status: ControlStatus
) -> None:
    losses = losses_of(np.full((1, 50), effect * 1_000), n_bytes=[1_000] * 50)
    comparison = paired(losses, variant="variant", baseline="baseline", sets=["neutral"])
    found = judge_noise_control(comparison, margin=MARGIN, pool=POOL)
    assert found.status is status
    assert found.interval is not None
    assert found.interval.high - effect == pytest.approx(2.4469 * 0.1, rel=1e-3)


def test_replaced_tokens_without_any_spread_are_not_judged(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.5, "baseline": 0.0}, seeds=(0, 1))
    comparison = paired(losses, variant="variant", baseline="baseline", sets=["neutral"])
    found = judge_noise_control(comparison, margin=MARGIN, pool=None)
    assert found.status is ControlStatus.NOT_JUDGED and "train more seeds" in found.reason


@pytest.mark.parametrize(
    ("again", "status", "words"),
    [
        ({"ledger": "1", "model": "2"}, ControlStatus.PASSED, "bit for bit"),
        ({"ledger": "1", "model": "3"}, ControlStatus.FAILED, "raw-0 trained again: model differ"),
        ({"ledger": "1"}, ControlStatus.FAILED, "model differ"),
    ],
)
def test_a_run_trained_twice_must_be_equal(again: dict[str, str], status: ControlStatus, words: str) -> None:
    found = judge_repeat({"ledger": "1", "model": "2"}, again, run="raw-0")
    assert found.status is status and words in found.reason


@pytest.mark.parametrize(
    ("bits_per_byte", "status"),
    [(1.75, ControlStatus.PASSED), (1.5, ControlStatus.PASSED), (1.7501, ControlStatus.FAILED)],
)
def test_a_trained_model_beats_word_counts_by_the_margin(bits_per_byte: float, status: ControlStatus) -> None:
    assert judge_unigram(bits_per_byte, 2.0, margin=0.25).status is status


def test_a_unigram_control_needs_numbers() -> None:
    with pytest.raises(CompareError, match="finite"):
        judge_unigram(float("nan"), 2.0, margin=0.25)
