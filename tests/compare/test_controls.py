"""Controls: comparisons whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from dq.compare import (
    Comparison,
    Control,
    ControlKind,
    ControlStatus,
    Options,
    Outcome,
    judge_aa,
    judge_noise_control,
    judge_unigram,
    paired,
)
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


# The t quantile at 99.9 % with 2 degrees of freedom is 31.6, at 95 % it is 4.30.
@pytest.mark.parametrize(
    ("difference", "standard_error", "status"),
    [
        (0.011, 0.011 / 31.0, ControlStatus.PASSED),
        (0.011, 0.011 / 32.2, ControlStatus.FAILED),
        (-0.011, 0.011 / 32.2, ControlStatus.FAILED),
        (0.009, 0.009 / 320.0, ControlStatus.PASSED),
        (0.5, 0.1, ControlStatus.PASSED),
    ],
    ids=["holds 0", "excludes 0", "excludes 0 below", "within the margin", "ordinary worse"],
)
def test_an_aa_control_fails_only_past_both_thresholds(
    losses_of: Make, difference: float, standard_error: float, status: ControlStatus
) -> None:
    comparison = shifted(losses_of, difference, standard_error)
    assert comparison.interval is not None
    assert comparison.interval.standard_error == pytest.approx(standard_error, rel=1e-6)
    assert judge_aa(comparison, margin=MARGIN).status is status


def test_an_aa_control_returns_its_ordinary_verdict_and_both_intervals(losses_of: Make) -> None:
    found = judge_aa(shifted(losses_of, 0.5, 0.1), margin=MARGIN)
    assert found.status is ControlStatus.PASSED
    assert found.verdict is not None
    assert found.verdict.outcome is Outcome.WORSE
    assert found.interval is not None
    assert found.interval.confidence == 0.999
    assert found.interval.low < 0 < found.verdict.interval.low  # type: ignore[union-attr]
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("margins", "weak"), [(9.9, False), (10.1, True)])
def test_an_aa_control_says_when_it_could_hardly_fail(losses_of: Make, margins: float, weak: bool) -> None:
    probe = judge_aa(shifted(losses_of, 0.0, 0.1), margin=MARGIN)
    assert probe.interval is not None
    half_width = (probe.interval.high - probe.interval.low) / 2
    found = judge_aa(shifted(losses_of, 0.0, 0.1), margin=half_width / margins)
    assert found.detectable == pytest.approx(half_width, rel=1e-3)
    assert found.could_hardly_fail is weak and ("could hardly fail" in found.reason) is weak


def test_honest_aa_controls_pass(make_losses: Make) -> None:
    statuses = set()
    for seed in range(40):
        losses = make_losses({"raw": 0.0}, seeds=range(6), seed=seed, spreads=(0.05, 0.02, 0.01))
        comparison = paired(
            losses,
            variant="raw",
            baseline="raw",
            sets=["neutral"],
            seed_pairs=[(3, 0), (4, 1), (5, 2)],
            options=Options(resamples=2),
        )
        statuses.add(judge_aa(comparison, margin=MARGIN).status)
    assert statuses == {ControlStatus.PASSED}


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
    found = judge_noise_control(shifted(losses_of, difference, standard_error), margin=MARGIN)
    assert found.status is status
    assert ("look for a fault" in found.reason) == (status is ControlStatus.FAILED)


@pytest.mark.parametrize("rule", [judge_aa, judge_noise_control])
def test_a_control_with_two_seeds_is_not_judged(make_losses: Make, rule: Callable[..., object]) -> None:
    losses = make_losses({"variant": 0.5, "baseline": 0.0}, seeds=(0, 1))
    found = rule(paired(losses, variant="variant", baseline="baseline", sets=["neutral"]), margin=MARGIN)
    assert found.status is ControlStatus.NOT_JUDGED  # type: ignore[attr-defined]
    assert "train more seeds" in found.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bits_per_byte", "status"),
    [(1.75, ControlStatus.PASSED), (1.5, ControlStatus.PASSED), (1.7501, ControlStatus.FAILED)],
)
def test_a_trained_model_beats_word_counts_by_the_margin(bits_per_byte: float, status: ControlStatus) -> None:
    assert judge_unigram(bits_per_byte, 2.0, margin=0.25).status is status


def test_a_unigram_control_needs_numbers() -> None:
    with pytest.raises(CompareError, match="finite"):
        judge_unigram(float("nan"), 2.0, margin=0.25)


def test_a_unigram_control_has_no_runs_among_the_variants() -> None:
    with pytest.raises(CompareError, match="judge_unigram"):
        Control(kind=ControlKind.UNIGRAM, variant="unigram")
