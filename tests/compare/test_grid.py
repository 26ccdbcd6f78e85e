"""A whole study: one verdict a variant, sets named, controls apart, and the pooled interval."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dq.compare
from dq.compare import (
    ControlKind,
    ControlStatus,
    Options,
    Outcome,
    StudyComparison,
    VariantComparison,
    compare_study,
    plan_looks,
)
from dq.compare.spread import pool_spread
from dq.errors import CompareError

Make = Callable[..., pl.DataFrame]
MARGIN = 0.02
SIZES = {"books": 120, "wiki": 100, "web": 110}
EFFECTS = {
    "raw": 0.0,
    "curated": {"books": -0.2, "wiki": -0.1, "web": 0.3},
    "noisy": 0.2,
    "same": 0.0,
}


def study(losses: pl.DataFrame, **changes: object) -> StudyComparison:
    arguments: dict[str, object] = {
        "baseline": "raw",
        "neutral_sets": ["books", "wiki"],
        "margin": MARGIN,
        "options": Options(resamples=20),
    }
    return compare_study(losses, **(arguments | changes))  # type: ignore[arg-type]


def of(found: StudyComparison, variant: str) -> VariantComparison:
    return next(one for one in found.variants if one.variant == variant)


def test_each_variant_gets_one_verdict_on_the_mean_of_the_neutral_sets(make_losses: Make) -> None:
    found = study(make_losses(EFFECTS, sizes=SIZES))
    assert [one.variant for one in found.variants] == ["curated", "noisy", "same"]
    outcomes = {one.variant: one.verdict.outcome for one in found.variants}
    assert outcomes == {"curated": Outcome.BETTER, "noisy": Outcome.WORSE, "same": Outcome.EQUIVALENT}
    assert of(found, "curated").neutral.difference == pytest.approx(-0.15, abs=0.01)
    assert found.seeds == (0, 1, 2)


def test_a_set_on_which_a_variant_is_worse_is_named_and_does_not_decide(make_losses: Make) -> None:
    curated = of(study(make_losses(EFFECTS, sizes=SIZES)), "curated")
    assert curated.worse_on == ("web",)
    assert curated.summary == "better; worse on web"
    assert [one.sets for one in curated.by_set] == [("books",), ("web",), ("wiki",)]


@pytest.mark.parametrize(("effect", "named"), [(0.5 * MARGIN, ()), (3 * MARGIN, ("web",))])
def test_a_set_is_named_only_past_the_margin(make_losses: Make, effect: float, named: tuple[str, ...]) -> None:
    losses = make_losses({"raw": 0.0, "a": {"web": effect}}, sizes=SIZES, spreads=(1e-4, 1e-3, 1e-3))
    assert of(study(losses), "a").worse_on == named


def test_a_single_neutral_set_is_not_named_beside_its_own_verdict(make_losses: Make) -> None:
    losses = make_losses({"raw": 0.0, "a": 0.3}, sizes=SIZES)
    found = of(study(losses, neutral_sets=["books"]), "a")
    assert (found.verdict.outcome, found.worse_on) == (Outcome.WORSE, ("web", "wiki"))


def test_two_seeds_give_no_verdict_and_say_why(make_losses: Make) -> None:
    found = of(study(make_losses(EFFECTS, sizes=SIZES, seeds=(0, 1))), "noisy")
    assert found.verdict.outcome is Outcome.NO_VERDICT
    assert "2 paired seeds" in found.verdict.reason
    assert found.neutral.difference == pytest.approx(0.2, abs=0.02)
    assert found.worse_on == ()


def test_with_one_variant_beside_the_baseline_the_pairs_own_spread_decides(make_losses: Make) -> None:
    found = of(study(make_losses({"raw": 0.0, "a": 0.05}, sizes=SIZES)), "a").neutral
    own, family = found.interval, found.family_interval
    assert own is not None and family is not None and family.label == "paired"
    assert (family.low, family.high, family.df) == pytest.approx((own.low, own.high, own.df))


def test_the_pooled_spread_is_the_larger_of_two_means_of_the_variance_of_differences() -> None:
    levels = np.random.default_rng(3).normal(size=(4, 5))

    def mean(pairs: list[tuple[int, int]]) -> float:
        return float(np.mean([(levels[v] - levels[w]).var(ddof=1) for v, w in pairs]))

    which = set()
    for noisy in (0, 2, 3):
        levels[noisy] *= 2
        found = pool_spread(levels, arms="abcd", apart={})
        of_all = mean([(v, w) for v in range(4) for w in range(4) if v < w])
        from_baseline = mean([(0, 1), (0, 2), (0, 3)])
        assert found.variance == pytest.approx(max(of_all, from_baseline))
        assert found.members == ("b", "c", "d") and found.df == pytest.approx(8)
        which.add(from_baseline > of_all)
        levels[noisy] /= 2
    assert which == {True, False}


def test_dominant_seeds_are_judged_by_dunnetts_quantile_of_the_pooled_spread(make_losses: Make) -> None:
    losses = make_losses({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.1}, sizes={"web": 100}, spreads=(0.1, 1e-6, 1e-6))
    found = study(losses, baseline="a", neutral_sets=["web"])
    interval = of(found, "b").neutral.family_interval
    assert interval is not None and found.pooled_sd is not None
    assert interval.label == "for 3 variants together, spread pooled, 4 df"
    assert interval.high - of(found, "b").neutral.difference == pytest.approx(
        3.6176 * found.pooled_sd / np.sqrt(3), rel=1e-3
    )


def test_without_pooling_each_variant_has_its_own_spread_and_a_third_of_the_error(make_losses: Make) -> None:
    found = study(make_losses(EFFECTS, sizes={"web": 100}, spreads=(0.1, 1e-6, 1e-6)), neutral_sets=["web"], pool=False)
    one = of(found, "same").neutral
    assert one.family_interval is not None and one.interval is not None
    widths = [interval.high - one.difference for interval in (one.family_interval, one.interval)]
    assert widths[0] / widths[1] == pytest.approx(stats.t.ppf(1 - 0.05 / 6, 2) / stats.t.ppf(0.975, 2))
    assert one.family_interval.label == "for 3 variants together, own spread"
    assert found.pooled_sd is None and not any("shared" in note for note in found.notes)


def test_arms_that_may_not_share_have_their_own_spread_and_are_named(make_losses: Make) -> None:
    found = study(make_losses(EFFECTS, sizes=SIZES), apart={"noisy": "16 epochs, more than 4"})
    assert of(found, "noisy").neutral.family_interval.label == "for 3 variants together, own spread"  # type: ignore[union-attr]
    assert "noisy has an interval of its own spread: 16 epochs, more than 4" in found.notes
    (noisy,) = [one for one in found.spreads if one.arm == "noisy"]
    assert noisy.left_out == "16 epochs, more than 4" and not noisy.unstable


def test_an_arm_that_spreads_over_three_times_as_much_is_called_unstable(make_losses: Make) -> None:
    losses = make_losses(EFFECTS, sizes={"web": 100}, seeds=range(6), spreads=(0.01, 1e-4, 1e-4))
    wild = (pl.col("variant") == "noisy").cast(pl.Float64) * pl.col("seed").replace_strict(
        {0: 0.0, 1: 0.3, 2: -0.2, 3: 0.2, 4: -0.3, 5: 0.0}, return_dtype=pl.Float64
    )
    losses = losses.with_columns(loss_nats=pl.col("loss_nats") + wild * np.log(2) * pl.col("n_bytes"))
    found = study(losses, neutral_sets=["web"])
    assert {one.arm: one.unstable for one in found.spreads} == {a: a == "noisy" for a in EFFECTS}
    assert any(note.endswith("unstable training, not data") and note.startswith("noisy") for note in found.notes)
    assert found.pooled_sd is not None and found.pooled_sd < 0.05  # without it
    assert of(found, "same").verdict.interval is not None
    assert "2 variants" not in of(found, "same").verdict.interval.label  # type: ignore[union-attr]


def test_the_noise_control_is_judged_and_left_out_of_verdicts_and_pooling(make_losses: Make) -> None:
    # The control last, so that the other variants are the same with and without it.
    losses = make_losses(EFFECTS | {"noise control": 1.0}, sizes={"books": 120})
    losses = losses.filter((pl.col("variant") != "noise control") | (pl.col("seed") == 0))
    with_control = study(losses, neutral_sets=["books"], noise_control="noise control")
    without = study(losses.filter(pl.col("variant").is_in(list(EFFECTS))), neutral_sets=["books"])
    assert [one.status for one in with_control.controls] == [ControlStatus.PASSED, ControlStatus.PASSED]
    assert with_control.variants == without.variants and with_control.spreads == without.spreads
    assert {one.variant for one in with_control.levels} == {*EFFECTS, "noise control"}
    assert [one.kind for one in without.controls] == [ControlKind.AA]


@pytest.mark.parametrize(("longest", "noted"), [(6_000, False), (7_000, True)])
def test_a_document_of_over_a_tenth_of_the_bytes_is_noted(losses_of: Make, longest: int, noted: bool) -> None:
    n_bytes = [longest] + [500] * 119
    losses = losses_of(np.random.default_rng(1).normal(size=(3, 120)), n_bytes=n_bytes)
    found = study(losses, baseline="baseline", neutral_sets=["neutral"])
    assert found.notes == (
        (
            "sets of which one document holds much of the bytes, whose intervals are too sure of themselves (at 30 % "
            "they cover 93 % where 95 % is stated): neutral (11%)",
        )
        if noted
        else ()
    )


def test_the_table_has_a_row_for_the_neutral_mean_and_one_for_each_set(make_losses: Make) -> None:
    table = study(make_losses(EFFECTS, sizes=SIZES)).to_frame()
    assert table.filter(variant="curated")["set"].to_list() == ["mean of the neutral sets", "books", "web", "wiki"]
    first = table.filter(variant="curated").row(0, named=True)
    assert (first["verdict"], first["worse_on"], first["n_documents"]) == ("better", "web", 220)
    assert first["low"] < first["difference"] < first["high"] < 0
    assert table.filter(pl.col("set") == "web")["verdict"].null_count() == 3


def test_two_seeds_still_make_a_table(make_losses: Make) -> None:
    table = study(make_losses(EFFECTS, sizes=SIZES, seeds=(0, 1))).to_frame()
    assert table["family_low"].null_count() == table["low"].null_count() == table.height
    assert set(table["verdict"].drop_nulls()) == {"no verdict"}


def test_a_study_is_plain_json(make_losses: Make) -> None:
    found = study(make_losses(EFFECTS, sizes=SIZES), noise_control="noisy")
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["variants"][0]["verdict"]["outcome"] == "better"
    assert [one["status"] for one in record["controls"]] == ["passed", "passed"]
    assert record["levels"][0]["held_out_set"] == "books"
    assert record["margin"] == MARGIN


@pytest.mark.parametrize(("size", "noted"), [(99, True), (100, False)])
def test_a_set_of_fewer_than_a_hundred_documents_is_noted(make_losses: Make, size: int, noted: bool) -> None:
    found = study(make_losses({"raw": 0.0, "a": 0.0}, sizes={"books": size, "wiki": 150}))
    assert bool(found.notes) == noted
    assert not noted or found.notes == ("sets of fewer than 100 documents, whose intervals are rough: books (99)",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "absent"}, "no losses of variant 'absent'"),
        ({"neutral_sets": ["absent"]}, "no losses on set 'absent'"),
        ({"neutral_sets": []}, "must be named"),
        ({"margin": 0.0}, "margin must be above 0"),
        ({"noise_control": "absent"}, "no losses of variant 'absent'"),
        ({"looks": plan_looks([5, 8])}, "the first look needs 5 seeds of every variant"),
    ],
)
def test_a_study_that_cannot_be_compared_says_what_is_missing(
    make_losses: Make, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(CompareError, match=message):
        study(make_losses({"raw": 0.0, "a": 0.0, "b": 0.1}, sizes=SIZES), **changes)


def test_public_names_are_sorted_and_exist() -> None:
    assert dq.compare.__all__ == sorted(dq.compare.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(dq.compare, name) for name in dq.compare.__all__)


def test_a_comparison_shows_its_verdicts_in_a_notebook_and_has_a_short_repr(
    make_losses: Callable[..., pl.DataFrame],
) -> None:
    losses = make_losses({"raw": 0.0, "<b>": -0.5})
    found = compare_study(losses, baseline="raw", neutral_sets=["neutral"], margin=0.02)
    shown = found._repr_html_()
    assert "better" in shown and "&lt;b&gt;" in shown and "<b>&lt;" not in shown.replace("<p><b>", "")
    assert shown.count("<tr>") == 1 + len(found.to_frame())
    assert len(repr(found)) <= 300 and len(repr(found.variants[0])) <= 300
    assert found.variants[0].in_words.startswith("-0.")
    assert found.variants[0].verdict.to_frame()["outcome"].to_list() == ["better"]
