"""Panels: honest ticks, nothing beyond the edges, nothing unescaped."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dq.report.svg import Scale, dot, interval, linear_ticks, log_ticks, panel, short_number, tag


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
@example(879609.9999999999, 1e-06)  # as narrow as the numbers themselves
def test_linear_ticks_are_few_round_and_named_as_they_are(low: float, width: float) -> None:
    high = low + width
    ticks = linear_ticks(low, high)
    assert 1 <= len(ticks) <= 8
    assert len({name for _, name in ticks}) == len(ticks)
    slack = 1e-6 * width + 2 * math.ulp(max(abs(low), abs(high)))
    for value, name in ticks:
        assert low - slack <= value <= high + slack
        assert float(name) == pytest.approx(value, abs=1e-6 * max(abs(low), abs(high), 1))


def test_ticks_of_tokens_are_whole_numbers_that_anyone_reads() -> None:
    assert [name for _, name in log_ticks(7168, 183_296)] == ["10k", "20k", "50k", "100k"]
    assert [name for _, name in log_ticks(1e5, 9e9)] == ["100k", "1M", "10M", "100M", "1B"]
    assert [short_number(one) for one in (999, 1000, 1.5e6, 2e9)] == ["999", "1k", "1.5M", "2B"]


@given(st.integers(1, 10**9), st.integers(2, 10**6))
def test_ticks_of_tokens_lie_on_the_axis_and_are_few(low: int, factor: int) -> None:
    ticks = log_ticks(low, low * factor, most=5)
    assert len(ticks) <= 5
    assert all(low <= value <= low * factor for value, _ in ticks)


def test_a_scale_keeps_everything_on_the_panel() -> None:
    scale = Scale(10, 1000, 0, 300, is_log=True)
    assert [scale(value) for value in (10, 100, 1000)] == pytest.approx([0, 150, 300])
    assert [scale(value) for value in (1, 10_000)] == [0, 300]
    assert Scale(5, 5, 0, 300)(5) == 150


def test_an_end_beyond_the_panel_has_no_cap_that_would_say_that_it_ends_there() -> None:
    scale = Scale(0, 10, 0, 100)
    inside, beyond = (interval(scale, (2, high), "#000", at=5, across=True).count("<line") for high in (10, 10.1))
    assert (inside, beyond) == (3, 2)


def test_hostile_names_stay_text_and_the_panel_stays_xml() -> None:
    hostile = '</svg><script>alert("1")</script>&\''
    drawn = panel(hostile, dot(1, 2, "#000", tip=hostile) + tag("text", hostile), height=10)
    assert "<script" not in drawn
    root = ElementTree.fromstring(drawn)
    assert hostile in [element.text for element in root.iter()]
    assert [element.get("data-tip") for element in root.iter() if element.get("data-tip")] == [hostile]


def test_numbers_in_attributes_are_short() -> None:
    assert tag("rect", x=1 / 3, y=2.0, width=10) == '<rect x="0.33" y="2" width="10"></rect>'
    assert math.isfinite(Scale(0.1, 0.1, 0, 1)(0.1))
