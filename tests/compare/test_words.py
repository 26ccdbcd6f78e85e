"""Differences in words that anyone reads."""

from __future__ import annotations

import pytest

from dq.compare import range_of, size_of


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.1188, 0.0675, "could be 0.119 better or 0.068 worse"),
        (-0.04, -0.012, "between 0.012 and 0.040 better"),
        (0.01, 0.25, "between 0.010 and 0.250 worse"),
        (0.0, 0.25, "between 0.000 and 0.250 worse"),
        (-0.25, 0.0, "between 0.000 and 0.250 better"),
        (-0.00999, 0.01, "could be 0.010 better or 0.010 worse"),
        (-0.00444, 0.019, "could be 0.0044 better or 0.019 worse"),
    ],
)
def test_an_interval_says_what_could_be(low: float, high: float, words: str) -> None:
    assert range_of(low, high) == words


def test_a_difference_is_told_with_its_share_of_the_baseline() -> None:
    assert size_of(-0.0256, 3.28) == "-0.026 bits per byte (-0.8 %)"
    assert size_of(0.0012, 2.4) == "+0.0012 bits per byte (+0.1 %)"
    assert size_of(-0.00002, 3.2) == "+0.0000 bits per byte (0.0 %)"
