"""Levels and learning curves over seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from dq.compare import curves, levels, paired_curves
from dq.errors import CompareError


def points(*rows: tuple[str, int, int, str, float], **columns: object) -> pl.DataFrame:
    """Curve points (variant, seed, step, phase, bits per byte) on one set, 100 tokens a step."""
    table = pl.DataFrame(rows, schema=["variant", "seed", "step", "phase", "bits_per_byte"], orient="row")
    return table.with_columns(
        set=pl.lit("neutral"), tokens_seen=pl.col("step") * 100, unique_tokens_seen=pl.col("step") * 50 + pl.col("seed")
    ).with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def test_a_curve_is_the_mean_over_seeds_with_a_t_band() -> None:
    found = curves(points(("a", 0, 10, "trunk", 2.0), ("a", 1, 10, "trunk", 2.2), ("a", 2, 10, "trunk", 2.7)))
    low, high = stats.ttest_1samp([2.0, 2.2, 2.7], 0.0).confidence_interval(0.95)
    assert found.select("bits_per_byte", "low", "high").row(0) == pytest.approx((2.3, low, high))
    assert found.select("tokens_seen", "unique_tokens_seen", "n_seeds").row(0) == (1_000, 501.0, 3)


def test_trunk_and_cooled_points_of_one_step_stay_apart() -> None:
    found = curves(points(("a", 0, 10, "trunk", 2.0), ("a", 0, 10, "cooled", 1.5)))
    assert found.select("phase", "bits_per_byte").rows() == [("cooled", 1.5), ("trunk", 2.0)]


def test_a_single_seed_has_no_band() -> None:
    assert curves(points(("a", 0, 10, "trunk", 2.0))).select("n_seeds", "low", "high").row(0) == (1, None, None)


def test_points_come_sorted_whatever_their_order() -> None:
    rows = [(name, seed, step, "trunk", 2.0 + seed / 10) for name in "ba" for seed in (1, 0) for step in (20, 10)]
    table = points(*rows)
    found = curves(table)
    assert found.select("variant", "step").rows() == [("a", 10), ("a", 20), ("b", 10), ("b", 20)]
    assert curves(table.reverse()).equals(found)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            points(("a", 0, 10, "warm", 2.0)),
            "'a', seed 0, set 'neutral', warm step 10 has a phase other than trunk, cooling",
        ),
        (points(("a", 0, 10, "trunk", float("nan"))), "not a finite number"),
        (points(("a", 0, 10, "trunk", 2.0), ("a", 0, 10, "trunk", 2.1)), "more than one row; 2 such rows"),
        (
            points(("a", 0, 10, "trunk", 2.0), ("a", 1, 10, "trunk", 2.1)).with_columns(tokens_seen=pl.Series([1, 2])),
            "another number of tokens",
        ),
        (points(("a", 0, 10, "trunk", 2.0)).drop("step"), "no column 'step'"),
    ],
)
def test_points_that_cannot_make_a_curve_are_a_loud_error(table: pl.DataFrame, message: str) -> None:
    with pytest.raises(CompareError, match=message):
        curves(table)


def test_a_level_is_the_mean_over_seeds_of_bits_per_byte(make_losses: Callable[..., pl.DataFrame]) -> None:
    losses = make_losses({"a": 0.0, "b": 0.5}, sizes={"web": 20, "books": 10})
    found = levels(losses)
    assert [(one.variant, one.held_out_set) for one in found] == [
        ("a", "books"), ("a", "web"), ("b", "books"), ("b", "web"),
    ]  # fmt: skip
    books = losses.filter(variant="a", set="books")
    by_seed = [
        run["loss_nats"].sum() / np.log(2) / run["n_bytes"].sum()
        for run in (books.filter(seed=seed) for seed in range(3))
    ]
    assert found[0].by_seed == pytest.approx(by_seed)
    assert found[0].bits_per_byte == pytest.approx(np.mean(by_seed))
    assert found[0].standard_deviation == pytest.approx(np.std(by_seed, ddof=1))
    assert (found[0].n_seeds, found[0].n_documents) == (3, 10)
    assert levels(losses.filter(seed=0))[0].standard_deviation is None


def test_points_of_a_study_are_read_as_they_are_and_its_subsets_stay_apart() -> None:
    rows = [("a", 0, 10, "trunk", 2.0), ("a", 0, 20, "cooling", 1.8), ("a", 0, 30, "cooled", 1.5)]
    tenth, everything = points(*rows, subset="tenth"), points(rows[-1], subset="all")
    found = curves(pl.concat([tenth, everything.with_columns(bits_per_byte=pl.lit(1.6))]))
    assert found.select("subset", "phase", "bits_per_byte").rows() == [
        ("all", "cooled", 1.6), ("tenth", "cooled", 1.5), ("tenth", "cooling", 1.8), ("tenth", "trunk", 2.0),
    ]  # fmt: skip


def test_paired_curves_take_each_seed_with_itself() -> None:
    rows = [("raw", seed, 10, "trunk", level) for seed, level in enumerate((2.0, 3.0, 4.0))]
    rows += [("a", seed, 10, "trunk", level) for seed, level in enumerate((1.9, 2.8, 3.7))]
    found = paired_curves(points(*rows), baseline="raw")
    low, high = stats.ttest_1samp([-0.1, -0.2, -0.3], 0.0).confidence_interval(0.95)
    assert found.select("variant", "n_seeds").rows() == [("a", 3)]
    assert found.select("difference", "low", "high").row(0) == pytest.approx((-0.2, low, high))


def test_paired_curves_need_the_baseline_and_its_seeds() -> None:
    table = points(("raw", 0, 10, "trunk", 2.0), ("a", 1, 10, "trunk", 2.0))
    with pytest.raises(CompareError, match="no points of the baseline 'rawe'; the table has a and raw"):
        paired_curves(table, baseline="rawe")
    with pytest.raises(CompareError, match="no variant shares a seed"):
        paired_curves(table, baseline="raw")
