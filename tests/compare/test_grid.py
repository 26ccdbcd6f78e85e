"""A whole study: one verdict a variant, sets named, controls apart, and the pooled interval."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import special

import dq.compare
from dq.compare import (
    Control,
    ControlKind,
    ControlStatus,
    Options,
    Outcome,
    StudyComparison,
    VariantComparison,
    compare_study,
)
from dq.compare.grid import pooled_seed_spread
from dq.compare.tables import LossTable
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


def test_pooling_with_one_variant_beside_the_baseline_is_that_pairs_own_spread(make_losses: Make) -> None:
    found = of(study(make_losses({"raw": 0.0, "a": 0.05}, sizes=SIZES)), "a").neutral
    assert found.interval is not None
    assert found.pooled_interval is not None
    assert found.pooled_interval.label == "assumes equal spread"
    own, pooled = found.interval, found.pooled_interval
    assert (pooled.low, pooled.high, pooled.df) == pytest.approx((own.low, own.high, own.df))


def test_the_pooled_spread_is_the_mean_over_all_pairs_of_the_variance_of_their_differences(make_losses: Make) -> None:
    table = LossTable.read(make_losses({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3}, sizes=SIZES, seeds=range(4)))
    found = pooled_seed_spread(table, sets=["web"])
    assert found is not None
    n_bytes = table.bytes_of_set["web"].sum()
    level = {(v, s): table.run(v, s, "web").sum() / n_bytes for v in "abcd" for s in range(4)}
    pairs = [(v, w) for v in "abcd" for w in "abcd" if v < w]
    variances = [np.var([level[v, s] - level[w, s] for s in range(4)], ddof=1) for v, w in pairs]
    assert found.variance == pytest.approx(np.mean(variances))
    assert found.df == 9


def test_the_pooled_interval_of_dominant_seeds_is_a_t_interval_with_the_pooled_variance(make_losses: Make) -> None:
    losses = make_losses({"a": 0.0, "b": 0.1, "c": 0.2}, sizes={"web": 100}, spreads=(0.1, 1e-6, 1e-6))
    found = of(study(losses, baseline="a", neutral_sets=["web"]), "b").neutral
    spread = pooled_seed_spread(LossTable.read(losses), sets=["web"])
    assert spread is not None
    assert found.pooled_interval is not None
    half_width = special.stdtrit(4, 0.975) * np.sqrt(spread.variance / 3)
    assert found.pooled_interval.high - found.difference == pytest.approx(half_width, rel=1e-3)


def test_the_pooled_interval_decides_only_when_the_study_says_so(make_losses: Make) -> None:
    # One pair with an unlucky spread among five variants that hardly spread.
    effects = {"raw": 0.0, "a": 0.06, "b": 0.0, "c": 0.0, "d": 0.0}
    losses = make_losses(effects, sizes=SIZES, spreads=(1e-4, 1e-4, 1e-4))
    unlucky = (pl.col("variant") == "a") & (pl.col("seed") == 2)
    bump = 0.06 * np.log(2) * pl.col("n_bytes")
    losses = losses.with_columns(loss_nats=pl.col("loss_nats") + pl.when(unlucky).then(bump).otherwise(0.0))
    alone, pooled = (of(study(losses, pool=pool), "a") for pool in (False, True))
    assert alone.neutral.interval == pooled.neutral.interval
    assert alone.neutral.pooled_interval == pooled.neutral.pooled_interval
    assert (alone.verdict.outcome, pooled.verdict.outcome) == (Outcome.UNDECIDED, Outcome.WORSE)
    assert "assumes equal spread" in pooled.verdict.reason
    assert pooled.verdict.interval == pooled.neutral.pooled_interval
    smallest = [one.neutral.power.smallest_detectable_difference for one in (alone, pooled) if one.neutral.power]
    assert smallest[1] < smallest[0]


def test_controls_are_judged_and_left_out_of_verdicts_and_pooling(make_losses: Make) -> None:
    effects = EFFECTS | {"noise control": 1.0, "raw again": 0.0}
    controls = [
        Control(kind=ControlKind.TOKEN_REPLACEMENT, variant="noise control"),
        Control(kind=ControlKind.AA, variant="raw again"),
    ]
    # Controls last, so that the other variants are the same with and without them.
    losses = make_losses(effects, sizes={"books": 120})
    with_controls = study(losses, neutral_sets=["books"], controls=controls)
    without = study(losses.filter(pl.col("variant").is_in(list(EFFECTS))), neutral_sets=["books"])
    assert [one.status for one in with_controls.controls] == [ControlStatus.PASSED, ControlStatus.PASSED]
    assert with_controls.variants == without.variants
    assert {one.variant for one in with_controls.levels} == set(effects)


def test_an_aa_control_can_be_the_baseline_with_other_seeds(make_losses: Make) -> None:
    losses = make_losses({"raw": 0.0, "a": 0.1}, sizes=SIZES, seeds=range(6))
    losses = losses.filter((pl.col("variant") == "raw") | (pl.col("seed") < 3))
    control = Control(kind=ControlKind.AA, variant="raw", seed_pairs=((3, 0), (4, 1), (5, 2)))
    found = study(losses, controls=[control])
    assert found.seeds == (0, 1, 2)
    assert found.controls[0].status is ControlStatus.PASSED
    assert found.controls[0].comparison is not None
    assert found.controls[0].comparison.seed_pairs == ((3, 0), (4, 1), (5, 2))
    with pytest.raises(CompareError, match="seed_pairs"):
        study(losses)


def test_the_table_has_a_row_for_the_neutral_mean_and_one_for_each_set(make_losses: Make) -> None:
    table = study(make_losses(EFFECTS, sizes=SIZES)).to_frame()
    assert table.filter(variant="curated")["set"].to_list() == ["mean of the neutral sets", "books", "web", "wiki"]
    first = table.filter(variant="curated").row(0, named=True)
    assert (first["verdict"], first["worse_on"], first["n_documents"]) == ("better", "web", 220)
    assert first["low"] < first["difference"] < first["high"] < 0
    assert table.filter(pl.col("set") == "web")["verdict"].null_count() == 3


def test_two_seeds_still_make_a_table(make_losses: Make) -> None:
    table = study(make_losses(EFFECTS, sizes=SIZES, seeds=(0, 1))).to_frame()
    assert table["low"].null_count() == table.height
    assert set(table["verdict"].drop_nulls()) == {"no verdict"}


def test_a_study_is_plain_json(make_losses: Make) -> None:
    control = Control(kind=ControlKind.TOKEN_REPLACEMENT, variant="noisy")
    found = study(make_losses(EFFECTS, sizes=SIZES), controls=[control])
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["variants"][0]["verdict"]["outcome"] == "better"
    assert record["controls"][0]["status"] == "passed"
    assert record["levels"][0]["held_out_set"] == "books"
    assert record["margin"] == MARGIN


@pytest.mark.parametrize(("size", "noted"), [(99, True), (100, False)])
def test_a_set_of_fewer_than_a_hundred_documents_is_noted(make_losses: Make, size: int, noted: bool) -> None:
    found = study(make_losses({"raw": 0.0, "a": 0.0}, sizes={"books": size, "wiki": 150}))
    assert bool(found.notes) == noted
    assert not noted or "set books has 99 documents" in found.notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "absent"}, "no losses of variant 'absent'"),
        ({"neutral_sets": ["absent"]}, "no losses on set 'absent'"),
        ({"neutral_sets": []}, "must be named"),
        ({"margin": 0.0}, "margin must be above 0"),
        ({"controls": [Control(kind=ControlKind.AA, variant="absent")]}, "no losses of variant 'absent'"),
        (
            {"controls": [Control(kind=ControlKind.TOKEN_REPLACEMENT, variant=name) for name in ("a", "b")]},
            "nothing to compare with 'raw'",
        ),
    ],
)
def test_a_study_that_cannot_be_compared_says_what_is_missing(
    make_losses: Make, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(CompareError, match=message):
        study(make_losses({"raw": 0.0, "a": 0.0, "b": 0.1}, sizes=SIZES), **changes)


def test_public_names_are_sorted_and_exist() -> None:
    assert dq.compare.__all__ == sorted(dq.compare.__all__)
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
