"""The verdict rule, on both sides of each threshold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.compare import Interval, Outcome, judge
from dq.compare.verdict import names_worse
from dq.errors import CompareError

MARGIN = 0.01


def interval(low: float, high: float, label: str = "paired") -> Interval:
    return Interval(
        low=low,
        high=high,
        confidence=0.95,
        standard_error=(high - low) / 4,
        df=5.0,
        decided_by="seeds and documents",
        label=label,
    )


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.0099, 0.0099, Outcome.EQUIVALENT),
        (-0.0099, 0.0101, Outcome.UNDECIDED),
        (-0.0101, 0.0099, Outcome.UNDECIDED),
        (-0.0101, 0.0101, Outcome.UNDECIDED),
        (-0.0099, -0.0001, Outcome.EQUIVALENT),
        (0.0001, 0.0099, Outcome.EQUIVALENT),
        (-0.0101, -0.0001, Outcome.BETTER),
        (-0.0101, 0.0001, Outcome.UNDECIDED),
        (0.0001, 0.0101, Outcome.WORSE),
        (-0.0001, 0.0101, Outcome.UNDECIDED),
        (-0.5, -0.3, Outcome.BETTER),
        (0.3, 0.5, Outcome.WORSE),
        (-MARGIN, 0.0, Outcome.UNDECIDED),
        (0.0, MARGIN, Outcome.UNDECIDED),
        (0.0, 0.0, Outcome.EQUIVALENT),
    ],
)
def test_the_rule_on_both_sides_of_each_threshold(low: float, high: float, outcome: Outcome) -> None:
    assert judge(interval(low, high), margin=MARGIN).outcome is outcome


@given(low=st.floats(-0.1, 0.1), width=st.floats(0, 0.1))
def test_swapping_the_arms_swaps_better_and_worse(low: float, width: float) -> None:
    swapped = {Outcome.BETTER: Outcome.WORSE, Outcome.WORSE: Outcome.BETTER}
    one = judge(interval(low, low + width), margin=MARGIN).outcome
    other = judge(interval(-(low + width), -low), margin=MARGIN).outcome
    assert other is swapped.get(one, one)


def test_no_interval_is_no_verdict_with_its_reason() -> None:
    found = judge(None, margin=MARGIN, missing="2 paired seeds of at least 3: train more seeds")
    assert found.outcome is Outcome.NO_VERDICT
    assert "train more seeds" in found.reason
    assert found.interval is None


def test_the_reason_gives_the_interval_and_what_it_assumes() -> None:
    plain = judge(interval(-0.03, -0.02), margin=MARGIN).reason
    assert plain == "the 95 % interval [-0.0300, -0.0200] lies wholly below 0"
    pooled = judge(interval(-0.03, 0.02, "assumes equal spread"), margin=MARGIN).reason
    assert "(assumes equal spread) holds 0 and reaches past the margin of 0.01" in pooled


@pytest.mark.parametrize(("low", "named"), [(0.0099, False), (MARGIN, False), (0.0101, True)])
def test_a_set_is_named_only_where_its_interval_lies_wholly_above_the_margin(low: float, named: bool) -> None:
    assert names_worse(interval(low, low + 0.1), margin=MARGIN) == named


def test_a_set_without_an_interval_is_not_named() -> None:
    assert not names_worse(None, margin=MARGIN)


@pytest.mark.parametrize("margin", [0.0, -0.01, math.nan, math.inf])
def test_a_margin_that_is_not_above_zero_is_an_error(margin: float) -> None:
    with pytest.raises(CompareError, match="margin"):
        judge(interval(0.0, 0.1), margin=margin)
