"""What tokens are worth: known answers, silence beyond the budgets, and intervals over seeds."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.compare import Reference, token_equivalence, tokens_to_match
from dq.compare.levels import ArmLosses, levels_of_losses
from dq.compare.tables import FloatArray
from dq.errors import CompareError

BUDGETS = np.array([57_344, 114_688, 229_376, 458_752], np.float64)
# nanochat at the best of three sizes for each number of tokens, by the NanoGPT slowrun's page on data efficiency.
NANOCHAT = Reference(
    tokens=np.array([2, 4, 6, 8, 10, 20]) * 1e8,
    losses=np.array([3.703, 3.370, 3.200, 3.123, 3.046, 2.892]),
    straight=True,
)


def law(tokens: FloatArray | float) -> FloatArray:
    return np.asarray(2 + 1.2 * (np.asarray(tokens) / 229_376) ** -0.3)


def runs(worth: float, *, seeds: int = 5, sd: float = 0.0, own_seeds: bool = False, rng: int = 0) -> pl.DataFrame:
    """Raw at four budgets and a variant at two, whose tokens are worth ``worth`` of raw's; half of the noise shared."""
    draw = np.random.default_rng(rng)
    shared = draw.normal(0, sd, seeds)
    rows = []
    for name, factor, budgets in (("raw", 1.0, BUDGETS), ("curated", worth, BUDGETS[1:3])):
        for tokens in budgets:
            losses = law(factor * tokens) + np.sqrt(0.5) * (shared + draw.normal(0, sd, seeds))
            first = 100 if own_seeds and name == "curated" else 0
            rows += [(name, tokens, loss, str(first + seed)) for seed, loss in enumerate(losses)]
    return pl.DataFrame(rows, schema=["variant", "n_tokens", "loss", "seed"], orient="row")


@pytest.mark.parametrize(("loss", "ratio"), [(3.402, 3.81), (3.307, 4.74), (3.195, 6.13), (2.987, 13.83)])
def test_published_data_efficiencies_are_found_on_straight_lines(loss: float, ratio: float) -> None:
    found = tokens_to_match(NANOCHAT, {"only": loss}, names=("method", "nanochat"), tokens=1e8)
    assert found.ratio == pytest.approx(ratio, abs=0.005)
    assert (found.low, found.missing) == (None, "single runs")


def test_a_published_curve_is_exact_and_the_runs_alone_give_the_interval() -> None:
    losses = {str(seed): loss for seed, loss in enumerate((3.40, 3.41, 3.39))}
    found = tokens_to_match(NANOCHAT, losses, names=("method", "nanochat"), tokens=1e8)
    half = 4.302653 * 0.01 / np.sqrt(3)
    ends = [NANOCHAT.tokens_at(3.40 + sign * half) for sign in (1, -1)]
    assert [found.low, found.high] == pytest.approx(ends, rel=1e-3) and found.df == 2


@pytest.mark.parametrize("worth", [0.6, 0.93, 1.0, 1.07, 1.9])
def test_tokens_of_a_power_law_are_worth_what_they_were_made_to_be(worth: float) -> None:
    found = token_equivalence(runs(worth), baseline="raw").variants
    assert [one.tokens for one in found] == [114_688, 229_376]
    assert [one.ratio for one in found] == pytest.approx([worth, worth], rel=2e-3)
    assert all(one.paired and one.low == pytest.approx(one.high) for one in found)  # no noise at all


@pytest.mark.parametrize(("worth", "side"), [(2.5, "below"), (0.4, "above")])
def test_beyond_the_baselines_budgets_there_is_no_answer(worth: float, side: str) -> None:
    found = token_equivalence(runs(worth), baseline="raw").variants[1 if worth > 1 else 0]
    assert (found.ratio, found.low, found.high, found.in_words) == (None, None, None, "none in range")
    assert found.missing == f"none in range: its loss is {side} that of raw at 57,344 to 458,752 tokens"


def test_an_interval_that_reaches_the_last_budget_is_open_there() -> None:
    found = token_equivalence(runs(1.95, sd=0.02), baseline="raw").variants[1]
    assert (
        found.high is None and found.low is not None and found.in_words.endswith(f"(above {found.low / 229_376:.3g})")
    )


def test_seeds_in_common_make_the_interval_narrower_than_seeds_apart() -> None:
    paired, apart = (
        token_equivalence(runs(1.1, sd=0.02, own_seeds=own), baseline="raw").variants[1] for own in (False, True)
    )
    assert (paired.paired, apart.paired) == (True, False)
    assert paired.ratio == apart.ratio
    widths = [one.high - one.low for one in (paired, apart) if one.high and one.low]
    assert len(widths) == 2 and widths[0] < widths[1]


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    hits = [
        bool(one.low and one.high and one.low <= 1.1 * one.tokens <= one.high)
        for number in range(100)
        for one in token_equivalence(runs(1.1, seeds=4, sd=0.01, rng=number), baseline="raw").variants[1:]
    ]
    assert len(hits) == 100 and 0.89 <= np.mean(hits) <= 0.99


def test_three_seeds_in_common_are_paired_and_fewer_are_not() -> None:
    table = runs(1.1, sd=0.01)
    for kept, paired in ((3, True), (2, False)):
        some = table.filter((pl.col("variant") == "raw") | (pl.col("seed").cast(pl.Int64) < kept))
        found = token_equivalence(some, baseline="raw").variants[0]
        assert (found.paired, found.n_seeds) == (paired, kept)


def test_a_baseline_that_does_not_fall_makes_no_curve_and_says_where() -> None:
    table = runs(1.0).with_columns(loss=pl.when(pl.col("n_tokens") > 300_000).then(4.0).otherwise(pl.col("loss")))
    found = token_equivalence(table, baseline="raw")
    assert found.variants == () and found.missing == (
        "no equivalence in tokens of raw: the loss does not fall from 229,376 to 458,752 tokens"
    )


def test_runs_without_seeds_have_no_interval_one_by_one_and_welchs_in_pairs() -> None:
    single = runs(1.1, seeds=1).drop("seed")
    assert token_equivalence(single, baseline="raw").variants[0].in_words == "1.1 x (single runs)"
    pairs = runs(1.1, seeds=2, sd=0.001).drop("seed")
    found = token_equivalence(pairs, baseline="raw").variants[0]
    assert not found.paired and found.df is not None and 1 <= found.df <= 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": pl.lit(float("nan"))}, "'raw', 57,344 tokens, seed '0' has a loss that is not a finite number"),
        ({"seed": pl.lit("1")}, "has more than one row"),
        ({"n_tokens": pl.lit(0.0)}, "a budget that is not above 0 tokens"),
        ({"variant": pl.lit("x")}, "no runs of the baseline 'raw'; the table has x"),
    ],
)
def test_tables_that_cannot_be_looked_up_are_refused(change: dict[str, pl.Expr], message: str) -> None:
    table = runs(1.1).with_columns(**change)
    if "variant" in change:
        table = table.unique(["n_tokens", "seed"], keep="first")
    with pytest.raises(CompareError, match=message):
        token_equivalence(table, baseline="raw")


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(1.1, 8.0)), min_size=1, max_size=6),
    st.booleans(),
    st.floats(0, 1),
)
def test_a_curve_falls_between_its_points_passes_through_them_and_reads_both_ways(
    steps: list[tuple[float, float]], straight: bool, share: float
) -> None:
    losses = np.cumsum([4.0, *(-fall for fall, _ in steps)])
    tokens = np.array(
        list(itertools.accumulate((factor for _, factor in steps), operator.mul, initial=1e4)), np.float64
    )
    found = Reference(tokens=tokens, losses=losses, straight=straight)
    assert found.loss_at(tokens) == pytest.approx(losses)
    fine = found.loss_at(np.geomspace(tokens[0], tokens[-1], 50))
    assert np.all(np.diff(fine) <= 1e-9)
    loss = losses[-1] + share * (losses[0] - losses[-1])
    at = found.tokens_at(float(loss))
    assert at is not None and found.loss_at(at) == pytest.approx(loss, abs=1e-6)
    weights = found.weights(tokens)
    assert weights == pytest.approx(np.eye(len(tokens)), abs=1e-4)


def test_levels_of_losses_are_the_mean_of_the_sets() -> None:
    losses = pl.DataFrame(
        [
            ("raw", 0, "a", 100, 100 * np.log(2)),
            ("raw", 0, "a", 300, 300 * np.log(2)),
            ("raw", 0, "b", 50, 150 * np.log(2)),
        ],
        schema=["variant", "seed", "set", "n_bytes", "loss_nats"],
        orient="row",
    )
    (row,) = levels_of_losses(losses, sets=["a", "b"], n_tokens=7).rows(named=True)
    assert row == {"variant": "raw", "seed": "0", "loss": pytest.approx(2.0), "n_tokens": 7.0}


def test_an_arm_has_seeds_only_if_they_are_the_same_at_every_budget() -> None:
    assert ArmLosses({1.0: {"a": 1.0, "b": 1.0}, 2.0: {"b": 0.5, "a": 0.5}}).seeds == ("a", "b")
    assert ArmLosses({1.0: {"a": 1.0, "b": 1.0}, 2.0: {"a": 0.5, "c": 0.5}}).seeds == ()
