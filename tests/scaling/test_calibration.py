"""Simulations of fits: a sample of what ``docs/calibration.md`` shows."""

from __future__ import annotations

import polars as pl
import pytest

from dq.scaling.calibration import coverage, designs, simulate


def test_a_sample_of_each_design_holds_the_truth_or_says_that_it_cannot_tell() -> None:
    good, _, ray = designs()
    found = pl.concat([simulate(good, range(2)), simulate(ray, range(2))])
    table = coverage(found)
    assert table["simulations"].to_list() == [2] * 8
    told = table.filter(pl.col("design") == ray.name)
    assert told["quantity"].to_list() == ["alpha", "beta"]
    assert told["flagged"].min() == 1.0
    assert found.filter(pl.col("design") == good.name)["held"].mean() >= 0.75  # type: ignore[operator]


@pytest.mark.slow
def test_intervals_cover_what_they_claim() -> None:
    for design in designs():
        table = coverage(simulate(design, range(200)))
        if design.determined:
            assert table.filter((pl.col("held") < 0.91) | (pl.col("held") > 0.99)).is_empty(), table
        else:
            assert table["flagged"].min() >= 0.95  # type: ignore[operator]
