"""Two arms on held-out documents: the difference, its interval, and what cannot be paired."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dq.compare import Comparison, Interval, Options, paired
from dq.errors import CompareError

Make = Callable[..., pl.DataFrame]
QUICK = Options(resamples=50)


def compare(losses: pl.DataFrame, **changes: object) -> Comparison:
    arguments: dict[str, object] = {"variant": "variant", "baseline": "baseline", "sets": ["neutral"], "options": QUICK}
    return paired(losses, **(arguments | changes))  # type: ignore[arg-type]


def interval(found: Comparison) -> Interval:
    assert found.interval is not None
    return found.interval


def test_a_comparison_worked_by_hand(losses_of: Make) -> None:
    # 1,000 bytes each, so per-byte differences are thousandths: rows are seeds, columns documents.
    differences = np.array([[1.0, 5.0, 6.0], [3.0, 5.0, 10.0], [2.0, 8.0, 5.0]])
    found = compare(losses_of(differences, n_bytes=[1_000] * 3))
    assert found.difference == pytest.approx(5e-3)
    assert found.differences_by_seed == pytest.approx((4e-3, 6e-3, 5e-3))
    assert (found.n_seeds, found.n_documents, found.n_bytes) == (3, 3, 3_000)
    squares = found.mean_squares
    assert squares is not None
    # seed: 3 (1 + 1 + 0) / 2; document: means 2, 6, 7, so 3 (9 + 1 + 4) / 2; total 64 = 6 + 42 + 16, and 16 / 4.
    assert (squares.seed, squares.document, squares.residual) == pytest.approx((3e-6, 21e-6, 4e-6))
    # The residual exceeds MS_seed, so the documents alone decide: 21e-6 / 9 with 2 degrees of freedom.
    assert interval(found).decided_by == "documents"
    assert interval(found).standard_error == pytest.approx(np.sqrt(21e-6 / 9))
    half_width = stats.t.ppf(0.975, 2) * np.sqrt(21e-6 / 9)
    assert (interval(found).low, interval(found).high) == pytest.approx((5e-3 - half_width, 5e-3 + half_width))


def test_a_long_document_weighs_by_its_bytes(losses_of: Make) -> None:
    differences = np.array([[10.0, 0.0], [10.0, 0.0], [40.0, 0.0]])
    found = compare(losses_of(differences, n_bytes=[1_000, 3_000]))
    assert found.differences_by_seed == pytest.approx((10 / 4_000, 10 / 4_000, 40 / 4_000))


def test_levels_are_bits_per_byte_and_differ_by_the_difference(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.1, "baseline": 0.0})
    found = compare(losses)
    of_arm = losses.filter(variant="variant")
    by_hand = of_arm["loss_nats"].sum() / np.log(2) / of_arm["n_bytes"].sum()
    assert found.bits_per_byte == pytest.approx(by_hand)
    assert found.bits_per_byte - found.baseline_bits_per_byte == pytest.approx(found.difference)


def test_each_set_weighs_the_same_whatever_its_size(make_losses: Make) -> None:
    losses = make_losses({"variant": {"big": 0.1, "small": -0.3}, "baseline": 0.0}, sizes={"big": 90, "small": 10})
    both = compare(losses, sets=["big", "small"])
    alone = [compare(losses, sets=[name]) for name in ("big", "small")]
    assert both.difference == pytest.approx((alone[0].difference + alone[1].difference) / 2)
    assert both.bits_per_byte == pytest.approx((alone[0].bits_per_byte + alone[1].bits_per_byte) / 2)
    for seed in range(3):
        mean = (alone[0].differences_by_seed[seed] + alone[1].differences_by_seed[seed]) / 2
        assert both.differences_by_seed[seed] == pytest.approx(mean)
    assert both.n_documents == 100


def test_row_order_and_other_columns_change_nothing(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.01, "baseline": 0.0, "other": 0.2}, sizes={"neutral": 30, "web": 20})
    shuffled = losses.sample(fraction=1.0, shuffle=True, seed=3).drop("n_tokens").with_columns(extra=pl.lit(1))
    assert compare(shuffled) == compare(losses)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_seeds=st.integers(3, 5))
def test_swapping_the_arms_negates_everything(make_losses: Make, seed: int, n_seeds: int) -> None:
    losses = make_losses({"variant": 0.02, "baseline": 0.0}, seeds=range(n_seeds), seed=seed)
    one, other = compare(losses), compare(losses, variant="baseline", baseline="variant")
    assert other.difference == pytest.approx(-one.difference, abs=1e-12)
    assert interval(other).low == pytest.approx(-interval(one).high, abs=1e-12)
    assert interval(other).high == pytest.approx(-interval(one).low, abs=1e-12)
    assert interval(other).df == pytest.approx(interval(one).df)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), constant=st.floats(0, 5), factor=st.floats(0.1, 10))
def test_a_constant_for_both_arms_changes_nothing_and_a_factor_scales(
    make_losses: Make, seed: int, constant: float, factor: float
) -> None:
    losses = make_losses({"variant": 0.02, "baseline": 0.0}, seed=seed)
    nats = pl.col("loss_nats")
    shifted = losses.with_columns(nats + constant * np.log(2) * pl.col("n_bytes"))
    before = interval(compare(losses))
    after = interval(compare(shifted))
    assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=1e-10)
    scaled = interval(compare(losses.with_columns(nats * factor)))
    assert (scaled.low, scaled.high) == pytest.approx((factor * before.low, factor * before.high), abs=1e-9)
    assert scaled.df == pytest.approx(before.df)


def test_a_higher_confidence_gives_a_longer_interval(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.02, "baseline": 0.0})
    widths = [
        interval(compare(losses, options=Options(confidence=level, resamples=50))) for level in (0.9, 0.95, 0.999)
    ]
    assert widths[2].low < widths[1].low < widths[0].low < widths[0].high < widths[1].high < widths[2].high


def test_a_seed_can_be_paired_with_another_seed(make_losses: Make) -> None:
    losses = make_losses({"baseline": 0.0}, seeds=range(6))
    found = compare(losses, variant="baseline", seed_pairs=[(3, 0), (4, 1), (5, 2)])
    assert found.seed_pairs == ((3, 0), (4, 1), (5, 2))
    runs = losses.group_by("seed").agg(bits=pl.col("loss_nats").sum() / np.log(2) / pl.col("n_bytes").sum())
    by_seed = dict(runs.iter_rows())
    assert found.differences_by_seed == pytest.approx([by_seed[i + 3] - by_seed[i] for i in range(3)])


@pytest.mark.parametrize(("n_seeds", "has_interval"), [(1, False), (2, False), (3, True)])
def test_fewer_than_three_seeds_give_a_difference_without_an_interval(
    make_losses: Make, n_seeds: int, has_interval: bool
) -> None:
    found = compare(make_losses({"variant": 0.02, "baseline": 0.0}, seeds=range(n_seeds)))
    assert found.difference == pytest.approx(0.02, abs=0.05)
    assert (found.interval is not None) == has_interval
    assert (found.power is not None) == has_interval
    assert (found.missing is None) == has_interval
    assert found.bootstrap_interval is not None


def test_two_seeds_say_how_many_are_needed(make_losses: Make) -> None:
    found = compare(make_losses({"variant": 0.02, "baseline": 0.0}, seeds=range(2)))
    assert found.missing == "2 paired seeds of at least 3: train more seeds"


def test_a_set_of_one_document_gives_no_interval_and_says_which(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.02, "baseline": 0.0}, sizes={"neutral": 20, "lonely": 1})
    found = compare(losses, sets=["neutral", "lonely"])
    assert found.interval is None
    assert found.missing == "fewer than 2 held-out documents on lonely: hold out more"


def test_the_bootstrap_is_labelled_and_repeats_with_its_seed(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.02, "baseline": 0.0})
    first, again = (compare(losses).bootstrap_interval for _ in range(2))
    assert first is not None
    assert first == again
    assert first.label == "conditional on these runs"
    other = compare(losses, options=Options(resamples=50, bootstrap_seed=1)).bootstrap_interval
    assert other != first


def test_the_bootstrap_agrees_with_the_interval_where_only_documents_differ(make_losses: Make) -> None:
    effects = {"variant": {"a": 0.5, "b": -0.3}, "baseline": 0.0}
    losses = make_losses(effects, sizes={"a": 300, "b": 150}, spreads=(0.0, 0.05, 1e-6))
    found = compare(losses, sets=["a", "b"], options=Options())
    bootstrap, own = found.bootstrap_interval, interval(found)
    assert bootstrap is not None
    assert (bootstrap.low, bootstrap.high) == pytest.approx((own.low, own.high), rel=0.02)
    assert bootstrap.standard_error == pytest.approx(own.standard_error, rel=0.1)


def test_a_comparison_is_plain_json(make_losses: Make) -> None:
    found = compare(make_losses({"variant": 0.02, "baseline": 0.0}), options=Options(resamples=50, margin=0.01))
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["interval"]["label"] == "paired"
    assert record["seed_pairs"] == [[0, 0], [1, 1], [2, 2]]
    assert record["power"]["margin"] == 0.01


def drop(**where: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda losses: losses.filter(~pl.all_horizontal(pl.col(name) == value for name, value in where.items()))


def put(column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Change one row: the variant's seed 1, document 7."""
    row = (pl.col("variant") == "variant") & (pl.col("seed") == 1) & (pl.col("document") == "document 0007")
    return lambda losses: losses.with_columns(pl.when(row).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


FAULTS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a missing seed": (drop(variant="variant", seed=2), r"'variant' has seeds \[0, 1\] and baseline .* \[0, 1, 2\]"),
    "a missing seed of the baseline": (drop(variant="baseline", seed=0), r"seeds \[0, 1, 2\] and baseline .* \[1, 2\]"),
    "a missing document": (
        drop(variant="variant", seed=1, document="document 0007"),
        "'variant', seed 1 was scored on other documents .*1 missing, 0 more, such as 'document 0007'",
    ),
    "another document": (put("document", "stranger"), "other documents .*1 missing, 1 more"),
    "other bytes": (
        put("n_bytes", 1),
        "'variant', seed 1 was scored on other bytes .*1 documents, such as 'document 00",
    ),
    "a doubled row": (lambda losses: pl.concat([losses, losses[:1]]), "has more than one row; 2 such rows"),
    "a loss that is not a number": (put("loss_nats", float("nan")), "'variant', seed 1, .*'document 0007' .*diverge"),
    "an infinite loss": (put("loss_nats", float("inf")), "not a finite number"),
    "a negative loss": (put("loss_nats", -1.0), "a negative loss"),
    "a missing loss": (put("loss_nats", None), "1 missing values in column 'loss_nats'"),
    "no bytes": (put("n_bytes", 0), "no scored bytes"),
    "a missing column": (lambda losses: losses.drop("n_bytes"), "no column 'n_bytes'"),
    "a column of words": (lambda losses: losses.with_columns(loss_nats=pl.lit("low")), "column of the wrong type"),
    "an empty table": (lambda losses: losses[:0], "is empty"),
    "a missing variant": (drop(variant="variant"), "no losses of variant 'variant'; the table has baseline"),
    "a set that one arm lacks": (drop(variant="variant", set="neutral"), "no losses of variant 'variant'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_breaks_the_pairing_is_a_loud_error(make_losses: Make, fault: str) -> None:
    damage, message = FAULTS[fault]
    with pytest.raises(CompareError, match=message):
        compare(damage(make_losses({"variant": 0.0, "baseline": 0.0}, sizes={"neutral": 12})))


def test_a_run_without_one_of_the_sets_is_named(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.0, "baseline": 0.0}, sizes={"neutral": 12, "web": 12})
    with pytest.raises(CompareError, match="variant 'variant', seed 1 has no losses on set 'web'"):
        compare(drop(variant="variant", seed=1, set="web")(losses), sets=["neutral", "web"])


def test_a_run_counted_twice_under_two_seeds_is_an_error(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.0, "baseline": 0.0}, seeds=(0, 1))
    copied = losses.filter(seed=1).with_columns(seed=pl.lit(2, pl.Int64))
    with pytest.raises(CompareError, match="seeds 1 and 2 have the same loss on every document"):
        compare(pl.concat([losses, copied]))


def test_faults_of_a_variant_that_is_not_compared_do_not_matter(make_losses: Make) -> None:
    losses = make_losses({"variant": 0.0, "baseline": 0.0, "other": 0.0})
    broken = losses.with_columns(loss_nats=pl.when(variant="other").then(float("nan")).otherwise(pl.col("loss_nats")))
    assert compare(broken) == compare(losses)


@pytest.mark.parametrize(
    ("variant", "seed_pairs", "message"),
    [
        ("baseline", None, "against itself needs seed_pairs"),
        ("baseline", [(0, 1), (1, 2), (2, 0)], "each run at most once"),
        ("baseline", [(0, 0)], "each run at most once"),
        ("variant", [(0, 0), (0, 1)], "each run at most once"),
        ("variant", [(0, 1), (1, 1)], "each run at most once"),
        ("variant", [], "each run at most once"),
        ("variant", [(0, 9)], "seed 9 of 'baseline'"),
        ("variant", [(9, 0)], "seed 9 of 'variant'"),
    ],
)
def test_seed_pairs_that_are_no_pairing_are_an_error(
    make_losses: Make, variant: str, seed_pairs: list[tuple[int, int]] | None, message: str
) -> None:
    with pytest.raises(CompareError, match=message):
        compare(make_losses({"variant": 0.0, "baseline": 0.0}), variant=variant, seed_pairs=seed_pairs)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], "must be named, each once"),
        (["neutral", "neutral"], "must be named, each once"),
        (["nowhere"], "no losses of set 'nowhere'; the table has neutral"),
    ],
)
def test_sets_that_are_not_there_are_an_error(make_losses: Make, sets: list[str], message: str) -> None:
    with pytest.raises(CompareError, match=message):
        compare(make_losses({"variant": 0.0, "baseline": 0.0}), sets=sets)


@pytest.mark.parametrize("options", [{"confidence": 1.0}, {"confidence": 0.4}, {"resamples": 1}, {"margin": 0.0}])
def test_options_that_make_no_sense_are_an_error(options: dict[str, float]) -> None:
    with pytest.raises(CompareError):
        Options(**options)  # type: ignore[arg-type]
