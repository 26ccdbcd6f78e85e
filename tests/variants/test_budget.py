"""Budgets, doses and epochs: exact to a piece, measured in the manifest, refused where they do not fit."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import BudgetError, ConfigError, WorkspaceError
from dq.variants import Curated, Noisy, PartMeasure, Raw, Repeated, TokenNoise, Universe
from dq.variants.manifest import read_manifest
from tests.variants.worlds import CONTEXT, fitting_budget, order_of, tokens_in, universe, variant

RAW, CURATED = Raw(), Curated()
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=20, deadline=None)


@pytest.fixture(scope="module")
def world() -> Universe:
    return universe(1)


@pytest.fixture(scope="module")
def shares(world: Universe) -> dict[str, float]:
    return world.raw_shares()


def measures_of(world: Universe, made: Any, seed: int) -> list[PartMeasure]:
    return list(made.manifest(world, [seed]).parts)


# --- exact ----------------------------------------------------------------------------------------------------------


@FEW
@given(SEEDS, st.sampled_from([1.5, 2, 3, 4, 7.25]), st.floats(0.3, 1))
def test_unique_tokens_and_shares_of_repeated_are_exact_to_one_piece_a_part(
    seed: int, epochs: float, fill: float
) -> None:
    world = universe(seed, 150)
    shares = world.raw_shares()
    budget = int(fill * fitting_budget(world, shares, world.kept))
    made = variant(Repeated(epochs=epochs), budget, shares)
    slack = CONTEXT * len(shares)
    for part, measured in zip(made.parts(world), measures_of(world, made, seed), strict=True):
        assert part.epochs == pytest.approx(epochs)
        assert 0 <= measured.unique_tokens - budget * part.share / epochs < CONTEXT
        assert abs(measured.tokens - budget * part.share) <= slack
        assert measured.epochs == measured.tokens / measured.unique_tokens


@FEW
@given(SEEDS, st.floats(1.05, 6))
def test_a_short_pool_is_repeated_as_often_as_needed_and_no_more(seed: int, times: float) -> None:
    world = universe(seed, 150)
    shares = world.raw_shares()
    budget = int(times * max(tokens_in(world, world.kept, s) / share for s, share in shares.items()))
    made = variant(Curated(when_short="repeat"), budget, shares)
    slack = CONTEXT * len(shares)
    for part, measured in zip(made.parts(world), measures_of(world, made, seed), strict=True):
        everything = tokens_in(world, world.kept, part.source)
        assert part.epochs == pytest.approx(budget * part.share / everything)
        assert everything - slack <= measured.unique_tokens <= everything
        assert abs(measured.tokens - budget * part.share) <= slack
    order, _ = order_of(world, made, seed=seed)
    for part in made.parts(world):
        mine = np.isin(order.documents, part.documents)
        _, seen = np.unique(order.documents[mine] * 10_000 + order.pieces.begins[mine], return_counts=True)
        assert seen.max() <= math.ceil(part.epochs) + 1 and seen.min() >= math.floor(part.epochs) - 1


def test_only_the_source_that_is_short_is_repeated(world: Universe, shares: dict[str, float]) -> None:
    kept = {source: tokens_in(world, world.kept, source) for source in shares}
    assert kept["web"] / shares["web"] < kept["news"] / shares["news"]
    budget = int(0.99 * kept["news"] / shares["news"])
    news, web = variant(Curated(when_short="repeat"), budget, shares).parts(world)
    assert news.epochs == 1 and web.epochs > 1


def test_a_dose_of_one_is_dropped_documents_alone(world: Universe, shares: dict[str, float]) -> None:
    made = variant(Noisy(dose=1.0), fitting_budget(world, shares, world.dropped), shares)
    order, parts = order_of(world, made)
    assert [part.name for part in parts] == ["news/dropped", "web/dropped"]
    assert world.dropped[order.documents].all()


# --- refused --------------------------------------------------------------------------------------------------------


def test_raw_fits_to_the_last_token_of_the_corpus() -> None:
    for seed in range(30):
        world = universe(seed, 50)
        shares = world.raw_shares()
        everything = int(world.lengths[world.available].sum())
        order, _ = order_of(world, variant(RAW, everything, shares))
        assert sorted(set(order.documents.tolist())) == np.flatnonzero(world.available).tolist()
        assert order.pieces.lengths.sum() == everything
        with pytest.raises(BudgetError, match=f"at most {everything:,}"):
            variant(RAW, everything + 1, shares).parts(world)


@FEW
@given(SEEDS, st.floats(0.05, 1.0))
def test_the_dose_that_an_error_names_fits_and_a_larger_one_does_not(seed: int, fill: float) -> None:
    world = universe(seed, 80)
    shares = world.raw_shares()
    budget = int(fill * fitting_budget(world, shares, world.kept)) + 1
    try:
        variant(Noisy(dose=1.0), budget, shares).parts(world)
    except BudgetError as error:
        named = re.search(r"lower `dose` to at most ([\d.]+)", str(error))
        possible = [d for d in np.arange(1, 10_000, 50) / 10_000 if fits(world, shares, budget, float(d))]
        assert (named is not None) == bool(possible) or (named is not None and float(named[1]) < 0.006)
        if named:
            assert fits(world, shares, budget, float(named[1]))
            assert not fits(world, shares, budget, float(named[1]) + 2e-4)


def fits(world: Universe, shares: dict[str, float], budget: int, dose: float) -> bool:
    try:
        variant(Noisy(dose=dose), budget, shares).parts(world)
    except BudgetError:
        return False
    return True


def test_a_dose_over_a_base_that_dropped_documents_cannot_fill_names_the_largest(
    world: Universe, shares: dict[str, float]
) -> None:
    budget = int(0.75 * fitting_budget(world, shares, world.kept))
    for base in (Curated(), TokenNoise(dose=0.1, base=Curated()), Repeated(epochs=2)):
        with pytest.raises(BudgetError, match=r"/dropped holds .* lower `dose` to at most 0\.\d+") as caught:
            variant(Noisy(dose=1.0, base=base), budget, shares).parts(world)
        named = float(str(caught.value).partition("`dose` to at most ")[2].split(",")[0])
        variant(Noisy(dose=named, base=base), budget, shares).parts(world)
        with pytest.raises(BudgetError):
            variant(Noisy(dose=named + 2e-4, base=base), budget, shares).parts(world)


def test_too_few_kept_documents_name_the_smallest_dose(world: Universe, shares: dict[str, float]) -> None:
    budget = int(1.05 * fitting_budget(world, shares, world.kept))
    with pytest.raises(BudgetError, match=r"web/kept holds .* raise `dose` to at least 0\.\d+$") as caught:
        variant(Noisy(dose=0.001), budget, shares).parts(world)
    named = float(str(caught.value).partition("at least ")[2].partition(",")[0])
    assert fits(world, shares, budget, named)
    assert not fits(world, shares, budget, named - 2e-4)


def test_too_short_a_pool_names_the_epochs_that_fill_it(world: Universe, shares: dict[str, float]) -> None:
    budget = int(7.5 * fitting_budget(world, shares, world.kept))
    with pytest.raises(BudgetError, match="raise `epochs` to at least 8, or set `when_short: repeat`"):
        variant(Repeated(epochs=7), budget, shares).parts(world)
    parts = variant(Repeated(epochs=8), budget, shares).parts(world)
    assert [part.epochs for part in parts] == pytest.approx([8, 8])


def test_a_pool_that_is_too_large_names_the_largest_and_is_repeated_where_that_is_asked(
    world: Universe, shares: dict[str, float]
) -> None:
    fits = fitting_budget(world, shares, world.kept)
    with pytest.raises(BudgetError, match=f"are needed; lower `pool_tokens` to at most {fits:,}, or set"):
        variant(Repeated(pool_tokens=fits + 5), 10 * fits, shares).parts(world)
    variant(Repeated(pool_tokens=fits), 10 * fits, shares).parts(world)
    short = variant(Repeated(pool_tokens=2 * fits, when_short="repeat"), 10 * fits, shares)
    drawn = sum(one.unique_tokens for one in measures_of(world, short, 0))
    assert fits <= drawn <= int(world.lengths[world.kept].sum())


@pytest.mark.parametrize("settings", [{}, {"epochs": 2.0, "pool_tokens": 100}])
def test_repeated_takes_epochs_or_a_pool(settings: Any) -> None:
    with pytest.raises(ConfigError, match="give exactly one of `epochs`, `pool_tokens` and `counts`"):
        Repeated(**settings)


@pytest.mark.parametrize("when_short", ["error", "repeat"])
def test_a_source_without_documents_cannot_be_repeated(when_short: Any, world: Universe) -> None:
    nothing = {"news": 0.5, "radio": 0.5}
    said = (
        r"radio/kept holds 0 tokens and 50 are needed; add documents, or change the rules, or leave out .* \[radio\]`$"
    )
    with pytest.raises(BudgetError, match=said):
        variant(Curated(when_short=when_short), 100, nothing).parts(world)


def test_all_sources_without_documents_are_named_at_once(world: Universe) -> None:
    nothing = {"news": 0.2, "radio": 0.4, "tv": 0.4}
    with pytest.raises(
        BudgetError, match=r"radio/kept holds 0 tokens .*what is short, by other `shares` or `without: \[radio, tv\]`$"
    ):
        variant(Curated(), 100, nothing).parts(world)


@pytest.mark.parametrize(("budget", "left_out"), [(2500, "radio"), (2700, "news, radio")])
def test_what_the_larger_shares_of_the_rest_make_short_is_named_too(
    budget: int, left_out: str, world: Universe
) -> None:
    """Without radio news has four fifths of a budget in place of 8 %: its 2,058 tokens are enough for 2,572."""
    shares = {"news": 0.08, "radio": 0.9, "web": 0.02}
    with pytest.raises(BudgetError, match=rf"radio/kept holds 0 tokens .*`without: \[{left_out}\]`$"):
        variant(Curated(), budget, shares).parts(world)


def test_a_source_of_no_share_is_left_out(world: Universe) -> None:
    order, parts = order_of(world, variant(CURATED, 200, {"news": 1.0, "web": 0.0}))
    assert [part.name for part in parts] == ["news/kept"]
    assert set(world.sources[order.documents]) == {"news"}


# --- measured -------------------------------------------------------------------------------------------------------


def test_a_manifest_is_written_as_it_is_and_briefly(world: Universe, shares: dict[str, float], tmp_path: Path) -> None:
    made = variant(Noisy(dose=0.3), fitting_budget(world, shares, world.kept) // 2, shares)
    manifest = made.write_manifest(tmp_path / "v", world, [4, 9])
    assert read_manifest(tmp_path / "v/manifest.json") == (json.loads(json.dumps(manifest.to_dict())), (4, 9))
    lines = (tmp_path / "v/manifest.json").read_text().splitlines()
    measures = [line for line in lines if line.startswith("      [")]
    assert len(measures) == len(manifest.parts) == 8  # a measure a line
    assert max(map(len, measures)) < 160  # with 41 sources of two parts a hundred are 1 % of their pool


@pytest.mark.parametrize("broken", ["[]", '{"parts": []}', '{"parts": {"columns": ["seed"], "data": [[1, 2]]}}'])
def test_what_is_not_a_manifest_is_refused(broken: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(broken)
    with pytest.raises(WorkspaceError, match=r"manifest\.json: "):
        read_manifest(tmp_path / "manifest.json")


def test_missing_a_target_by_over_two_percent_is_a_warning_and_less_is_not(world: Universe) -> None:
    two = {"news": 0.5, "web": 0.5}
    large = universe(3, 6000)
    budget = fitting_budget(large, two, large.kept)
    assert variant(CURATED, budget // 3, two).manifest(large, [0]).warnings == ()
    (half,) = variant(CURATED, budget, two).manifest(large, [0]).warnings
    assert re.fullmatch(r"more than half of a pool is drawn: news/kept \(63,006 of 63,006\), web/kept \(.*", half)
    found = variant(CURATED, 60, two).manifest(world, [0]).warnings
    (warning,) = [one for one in found if not one.startswith("shares of its own")]
    each = r"(news|web)/kept [+-]\d+\.\d% (unique )?tokens \(seed 0\)"
    assert re.fullmatch(rf"parts off their target by over 2%, in the worst seed: {each}(, {each})*", warning)
    again = variant(CURATED, 60, two).manifest(world, range(9)).warnings
    assert sum(one.startswith("parts off their target") for one in again) == 1  # not one a seed


@pytest.mark.parametrize(("kind", "dose"), [("noisy", -0.1), ("noisy", 1.01), ("token_noise", -0.1)])
def test_a_dose_is_a_share(kind: str, dose: float) -> None:
    with pytest.raises(ConfigError, match="dose"):
        (Noisy if kind == "noisy" else TokenNoise)(kind=kind, dose=dose)  # type: ignore[arg-type]


def test_noisy_variants_have_no_repetition_to_ask_for() -> None:
    with pytest.raises(ConfigError, match="when_short"):
        Noisy(dose=0.5, when_short="repeat")  # type: ignore[arg-type]
