"""The answer in words, from comparisons as they lie in a study's folder."""

from __future__ import annotations

from typing import Any

import pytest

from dq.report.answers import cards, duration, headline
from dq.report.colors import INK, PALETTE, colors_of
from dq.report.manifests import measured

NONE_BETTER = "No variant is shown to be better than raw at this size and budget."


def variant(name: str, outcome: str, *, needed: int | None = 30, worse_on: tuple[str, ...] = ()) -> dict[str, Any]:
    label = "for 2 variants together, spread pooled, 4 df"
    interval = None if outcome == "no verdict" else {"low": -0.119, "high": 0.068, "confidence": 0.95, "label": label}
    known = {"margin": 0.02, "seeds_needed": needed, "seeds_needed_range": (12, None)}
    power = None if outcome == "no verdict" else known
    neutral = {"difference": -0.0256, "baseline_bits_per_byte": 3.28, "seed_pairs": [[0, 0]] * 3, "power": power}
    verdict = {"outcome": outcome, "reason": "too few seeds", "interval": interval}
    return {"variant": name, "verdict": verdict, "neutral": neutral, "worse_on": list(worse_on)}


def study(*variants: dict[str, Any]) -> dict[str, Any]:
    return {"comparison": {"baseline": "raw", "variants": list(variants)}}


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["undecided"], f"{NONE_BETTER} About a these runs cannot tell."),
        (["better", "worse"], "a is better than raw at this size and budget. b is worse."),
        (["better", "better"], "a and b are better than raw at this size and budget."),
        (["equivalent"], f"{NONE_BETTER} a differs by less than the margin."),
        (["no verdict"], NONE_BETTER),
    ],
)  # fmt: skip
def test_one_sentence_says_what_was_found(outcomes: list[str], words: str) -> None:
    found = [variant(name, outcome) for name, outcome in zip("ab", outcomes, strict=False)]
    assert headline(study(*found)["comparison"]) == words


def test_an_undecided_card_says_what_would_decide_it_and_what_that_costs() -> None:
    (card,) = cards(study(variant("a", "undecided")), seconds_a_run=33.0)
    assert (card.size, card.range) == ("-0.026 bits per byte (-0.8 %)", "could be 0.119 better or 0.068 worse")
    words = "54 more runs (likely 12 to many more seeds), about 30 minutes of one core here"  # 27 seeds of 2 arms
    assert (card.seeds, card.cost) == (30, words)
    assert card.interval == ("95 % interval [-0.119, +0.068] of 3 seeds, for 2 variants together, spread pooled, 4 df")


@pytest.mark.parametrize(("needed", "seeds"), [(100, 100), (101, None), (None, None)])
def test_more_seeds_than_a_study_may_have_are_not_advised(needed: int | None, seeds: int | None) -> None:
    (card,) = cards(study(variant("a", "undecided", needed=needed)), seconds_a_run=None)
    assert card.seeds == seeds
    assert ("hardly decide" in card.cost) == (seeds is None)


@pytest.mark.parametrize("outcome", ["better", "worse", "equivalent", "no verdict"])
def test_a_decided_card_asks_for_no_seeds(outcome: str) -> None:
    (card,) = cards(study(variant("a", outcome, worse_on=("web", "news"))), seconds_a_run=33.0)
    assert (card.seeds, card.cost, card.warning) == (None, "", "worse on web and news")


def test_seeds_that_suffice_are_not_asked_for() -> None:
    for needed, cost in ((3, ""), (4, "2 more runs (likely 12 to many more seeds)")):
        assert cards(study(variant("a", "undecided", needed=needed)), seconds_a_run=None)[0].cost == cost


def test_durations_are_told_in_the_unit_that_fits() -> None:
    assert [duration(s) for s in (89, 90, 5399, 5400)] == ["89 seconds", "2 minutes", "90 minutes", "1.5 hours"]


def test_a_variant_has_one_colour_in_every_study() -> None:
    one = colors_of(["curated", "noisy"], baseline="raw")
    other = colors_of(["rep8", "raw", "noisy"], baseline="curated")
    assert one["noisy"] == other["noisy"] and one["raw"] == other["curated"] == INK
    assert other["rep8"] == colors_of(["rep8"], baseline="raw")["rep8"]
    many = colors_of([f"v{n}" for n in range(20)], baseline="raw")
    assert len({many[f"v{n}"] for n in range(20)}) == len(PALETTE)


def part(seed: int, tokens: int, unique: int) -> dict[str, Any]:
    target = {"target_tokens": 1000.0, "target_unique_tokens": 500.0}
    return {
        "part": "web/kept",
        "seed": seed,
        "tokens": tokens,
        "unique_tokens": unique,
        "documents": 4,
        "epochs": 2.0,
    } | target


@pytest.mark.parametrize(("unique", "amber"), [(525, False), (526, True), (475, False), (474, True)])
def test_a_part_off_its_target_in_its_worst_seed_is_amber_above_five_per_cent(unique: int, amber: bool) -> None:
    (row,) = measured("noisy", {"parts": [part(0, 1001, 500), part(1, 1000, unique)]})
    assert row.is_amber is amber and row.off_target == pytest.approx(unique / 500 - 1)
    assert (row.tokens, row.documents, row.first) == (1000.5, 4, True)


@pytest.mark.parametrize(("parts", "rows"), [(20, 20), (21, 21), (1000, 21)])
def test_the_parts_of_a_thousand_sources_are_a_table_of_one_screen(parts: int, rows: int) -> None:
    found = measured("raw", {"parts": [{**part(0, 1000 + n, 500), "part": f"{n}/all"} for n in range(parts)]})
    assert len(found) == rows and [row.first for row in found].count(True) == 1
    assert sum(row.documents for row in found) == 4 * parts
    assert any(row.part.endswith("smaller parts") for row in found) is (parts > 20)
