"""Comparisons under no effect err as often as they say, and known errors of looks and powers of seeds are found."""

from __future__ import annotations

import polars as pl
import pytest

from dq.compare import calibrate_comparisons, detectable_at, false_over_looks
from dq.compare.calibration import wilson


@pytest.mark.parametrize(
    ("seeds", "error", "known"), [(tuple(range(3, 11)), 0.05, 0.167), ((3, 5, 10), 0.05 / 3, 0.044)]
)
def test_looks_err_as_often_as_is_known(seeds: tuple[int, ...], error: float, known: float) -> None:
    found = false_over_looks(seeds, [error] * len(seeds), simulations=60_000)
    assert found == pytest.approx(known, abs=0.003)


@pytest.mark.parametrize(("n_seeds", "known"), [(3, 3.26), (5, 1.68), (8, 1.16)])
def test_seeds_detect_what_is_known(n_seeds: int, known: float) -> None:
    assert detectable_at(1.0, df=n_seeds - 1, n_seeds=n_seeds) == pytest.approx(known, abs=0.005)


def assert_calibrated(frame: pl.DataFrame) -> None:
    """No rule errs more often than it states, beyond chance; the uncorrected looks do."""
    looks = pl.col("rule").str.contains("again and again")
    for row in frame.filter(~looks).iter_rows(named=True):
        low, _ = wilson(round(row["measured"] * row["simulations"]), row["simulations"], confidence=0.999)
        assert low <= row["stated"], row  # of 17 rows, one is beyond chance at 95 %
    (uncorrected,) = frame.filter(looks).iter_rows(named=True)
    assert uncorrected["low"] > 3 * uncorrected["stated"]


def test_a_small_table_has_every_rule_at_every_number_of_seeds() -> None:
    frame = calibrate_comparisons(simulations=20).frame
    assert frame.group_by("seeds").len().sort("seeds").rows() == [
        ("10", 5),
        ("3", 5),
        ("3 to 10", 1),
        ("3, 5, 10", 2),
        ("5", 5),
    ]
    assert_calibrated(frame)
    assert calibrate_comparisons(simulations=20).frame.equals(frame)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_simulations_find_no_rule_that_errs_too_often() -> None:
    frame = calibrate_comparisons(simulations=1000).frame
    assert_calibrated(frame)
    assert frame.filter(~pl.col("rule").str.contains("again"))["measured"].max() <= 0.065  # type: ignore[operator]


def test_wilsons_interval_is_the_published_one() -> None:
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)  # Newcombe 1998, table I
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
