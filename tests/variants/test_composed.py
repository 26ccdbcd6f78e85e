"""Variants made from others: mixtures, counts, copies, layers of noise, and the dose that each manifest measures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.config import load_yaml
from dq.errors import BudgetError, ConfigError
from dq.study import StudyConfig
from dq.variants import (
    Counts,
    Curated,
    ExactDuplicates,
    Kind,
    Manifest,
    Mixed,
    Noisy,
    OffDomain,
    Raw,
    Repeated,
    TokenNoise,
    TokenShuffle,
    Truncation,
    Universe,
)
from tests.variants.worlds import CONTEXT, all_tokens, fitting_budget, order_of, pool, stream_of, universe, variant

FEW = settings(max_examples=15, deadline=None)


@pytest.fixture(scope="module")
def world() -> Universe:
    """With values that counts can be of: a rank of each document, and the size of its cluster."""
    world = universe(5, 1500)
    rng = np.random.default_rng(0)
    values = {"cluster_size": rng.integers(1, 6, 1500), "score": rng.random(1500)}
    return dataclasses.replace(world, find_values=values.__getitem__)


@pytest.fixture(scope="module")
def shares(world: Universe) -> dict[str, float]:
    return world.raw_shares()


@pytest.fixture(scope="module")
def budget(world: Universe, shares: dict[str, float]) -> int:
    return fitting_budget(world, shares, world.kept) // 2


def manifest_of(world: Universe, spec: Kind, budget: int) -> Manifest:
    return variant(spec, budget, world.raw_shares()).manifest(world, [0, 1])


# --- counts ---------------------------------------------------------------------------------------------------------


@FEW
@given(st.integers(0, 1000), st.integers(1, 7), st.sampled_from(["piece", "document"]))
def test_each_document_is_seen_as_often_as_its_cluster_is_large_up_to_a_cap(seed: int, most: int, unit: Any) -> None:
    world = universe(seed, 300)
    sizes = np.random.default_rng(seed).integers(1, 9, 300)
    world = dataclasses.replace(world, find_values={"cluster_size": sizes}.__getitem__)
    shares = world.raw_shares()
    spec = Repeated(counts=Counts(by="cluster_size", most=most))
    budget = fitting_budget(world, shares, world.kept)
    order, parts = order_of(world, variant(spec, budget, shares, unit=unit), seed=seed)
    pieces = order.documents * 10_000 + order.pieces.begins
    seen, at, times = np.unique(pieces, return_index=True, return_counts=True)
    wanted, lengths = np.minimum(sizes, most)[seen // 10_000], order.pieces.lengths[at]
    # Where a part has given its share, what its last piece overshoots by, all its copies, is missing of later copies.
    assert (times <= wanted).all()
    assert int(((wanted - times) * lengths).sum()) <= (most + 2) * int(lengths.max()) * len(parts)
    assert set(order.copies[np.isin(pieces, seen[wanted == 1])].tolist()) <= {0}


def test_counts_by_quantile_are_those_of_the_table_within_each_source(
    world: Universe, shares: dict[str, float]
) -> None:
    counts = Counts(by="score", quantiles=((0.5, 0), (0.9, 1), (1, 4)))
    for source in shares:
        documents = np.flatnonzero(world.kept & (world.sources == source))
        found = counts.of(world, documents)
        ranks = np.argsort(np.argsort(world.values("score")[documents])) / len(documents)
        assert set(found[ranks < 0.49].tolist()) == {0} and set(found[ranks > 0.91].tolist()) == {4}
        assert found.mean() == pytest.approx(0.4 + 0.4, abs=0.02)
    half = Counts(by="cluster_size", times=0.5).of(world, np.flatnonzero(world.kept))
    assert half.mean() == pytest.approx(world.values("cluster_size")[world.kept].mean() / 2, rel=0.05)


def test_too_few_counted_documents_and_unordered_tables_are_refused(world: Universe, shares: dict[str, float]) -> None:
    spec = Repeated(counts=Counts(by="cluster_size"))
    with pytest.raises(
        BudgetError, match=r"tokens and [\d,]+ are needed; lower `budget_tokens` to at most [\d,]+, or raise"
    ):
        variant(spec, 10_000_000, shares).parts(world)
    with pytest.raises(ConfigError, match="quantiles rise, and the last one is 1"):
        Counts(by="score", quantiles=((0.5, 1), (0.4, 2)))
    with pytest.raises(ConfigError, match="`counts` say how often"):
        Repeated(counts=Counts(by="score"), when_short="repeat")


# --- mixtures -------------------------------------------------------------------------------------------------------


def test_a_mixture_of_sources_has_its_own_shares_and_says_so(world: Universe, budget: int) -> None:
    found = manifest_of(world, Mixed(weights={"news": 0.8, "web": 0.2}, base=Curated()), budget // 4)
    assert found.source_shares == pytest.approx({"news": 0.8, "web": 0.2}, abs=0.01)
    (warning,) = [one for one in found.warnings if "shares of its own" in one]
    assert "web 20.1% (study 74.9%)" in warning and warning.endswith("a difference is of the mixture too")
    assert not any("shares of its own" in one for one in manifest_of(world, Curated(), budget // 4).warnings)


def test_a_mixture_of_variants_has_each_by_its_weight_and_counts_what_both_have_once(
    world: Universe, budget: int
) -> None:
    kinds = {"some": Curated(), "often": Repeated(epochs=4)}
    found = manifest_of(world, Mixed(weights={"some": 0.25, "often": 0.75}, of=kinds), budget)
    assert [one.part for one in found.parts[:4]] == ["news/kept", "web/kept", "news/kept#2", "web/kept#2"]
    some, often = (
        sum(one.tokens for one in found.parts if one.seed == 0 and ("#" in one.part) == two) for two in (0, 1)
    )
    assert some == pytest.approx(budget / 4, abs=4 * CONTEXT) and often == pytest.approx(
        3 * budget / 4, abs=4 * CONTEXT
    )
    # Both draw the same pieces first: the pool of the one lies within the other's.
    assert found.unique_tokens[0] == pytest.approx(budget / 4, abs=4 * CONTEXT)


def test_text_of_another_domain_takes_its_dose_from_its_sources_alone(world: Universe, budget: int) -> None:
    for dose in (0.0, 0.3, 1.0):
        found = manifest_of(world, OffDomain(sources=("web",), dose=dose), budget // 2)
        assert found.source_shares.get("web", 0.0) == pytest.approx(dose, abs=0.01)
        assert [(one.kind, one.dose, round(one.measured, 2)) for one in found.noise] == (
            [("off_domain", dose, dose)] if dose else []
        )
    with pytest.raises(ConfigError, match="unknown source `wab`; did you mean `web`"):
        manifest_of(world, OffDomain(sources=("wab",), dose=0.5), budget)


# --- noise ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TokenNoise, TokenShuffle, Truncation, Noisy, ExactDuplicates])
def test_a_dose_of_nothing_is_the_base_and_other_doses_are_measured(
    kind: Any, world: Universe, shares: dict[str, float], budget: int, tmp_path: Path
) -> None:
    tokens = pool(tmp_path, world)
    base = Curated()
    clean = all_tokens(stream_of(world, tokens, variant(base, budget, shares)))
    np.testing.assert_array_equal(
        all_tokens(stream_of(world, tokens, variant(kind(dose=0.0, base=base), budget, shares))), clean
    )
    for dose in (0.1, 0.4):
        (measured,) = manifest_of(world, kind(dose=dose, base=base), budget // 3).noise
        assert measured.kind == kind.model_fields["kind"].default and measured.dose == pytest.approx(dose)
        assert measured.measured == pytest.approx(dose, abs=0.01)


@FEW
@given(st.integers(2, 300), st.floats(0, 1), st.integers(0, 39))
def test_token_replacement_changes_exactly_its_dose_and_never_into_the_same_token(
    n_tokens: int, dose: float, document: int
) -> None:
    tokens = np.random.default_rng(n_tokens).integers(1, 4, n_tokens).astype(np.int32)
    rewrite = TokenNoise(dose=dose).rewriter(universe(2, 40), vocabulary_size=4, seed=1)
    assert (rewrite(document, tokens) != tokens).sum() == round(dose * n_tokens)


def test_shuffled_tokens_are_the_same_tokens_elsewhere() -> None:
    tokens = np.arange(1, 101, dtype=np.int32)
    world, moved = universe(2, 40), {}
    for dose in (0.2, 0.6):
        moved[dose] = TokenShuffle(dose=dose, seed=5).rewriter(world, vocabulary_size=500, seed=1)(3, tokens)
    for dose, noisy in moved.items():
        assert sorted(noisy.tolist()) == tokens.tolist() and (noisy != tokens).sum() == dose * 100
    assert set(np.flatnonzero(moved[0.2] != tokens)) < set(np.flatnonzero(moved[0.6] != tokens))


def test_layers_lie_on_each_other_and_a_truncated_document_is_noisy_within_what_is_left(
    world: Universe, shares: dict[str, float], budget: int, tmp_path: Path
) -> None:
    tokens = pool(tmp_path, world)
    spec = TokenNoise(dose=0.5, base=Truncation(dose=0.5, base=Repeated(epochs=2)))
    made = variant(spec, budget // 2, shares)
    stream = stream_of(world, tokens, made)
    assert [part.name for part in made.parts(world)] == [
        "news/kept+truncation+token_noise",
        "web/kept+truncation+token_noise",
    ]
    for at in range(0, len(stream.order.documents), 7):
        document, begin = int(stream.order.documents[at]), int(stream.order.pieces.begins[at])
        length = int(stream.order.pieces.lengths[at])
        assert begin + length <= 1 + (world.lengths[document] - 1) - round(0.5 * (world.lengths[document] - 1))
    doses = {one.kind: one.measured for one in made.manifest(world, [0]).noise}
    assert doses == pytest.approx({"truncation": 0.5, "token_noise": 0.5}, abs=0.02)


def test_copies_are_of_what_is_there_once(world: Universe, shares: dict[str, float], budget: int) -> None:
    for dose, copies in ((0.5, 1), (0.1, 10)):
        spec = ExactDuplicates(dose=dose, copies=copies)
        order, parts = order_of(world, variant(spec, budget, shares))
        pieces = order.documents * 10_000 + order.pieces.begins
        copied = np.isin(order.parts, [n for n, part in enumerate(parts) if part.name.endswith("+copies")])
        assert len(parts) == 4 and np.isin(pieces[copied], pieces[~copied]).mean() > 0.97
        unique = order.unique_tokens(budget)
        assert unique / budget == pytest.approx(1 - dose, abs=0.02)


# --- said in a study ------------------------------------------------------------------------------------------------

STUDY = """budget_tokens: 300_000
margin_bits_per_byte: 0.02
variants:
  raw: {kind: raw}
  other:
    kind: token_noise
    dose: 0.1
    base:
"""


def of_study(tmp_path: Path, base: str) -> Kind:
    (tmp_path / "study.yaml").write_text(STUDY + base)
    return load_yaml(tmp_path / "study.yaml", StudyConfig).variants["other"]


def test_a_base_is_any_kind_and_its_faults_are_named_at_their_lines(tmp_path: Path) -> None:
    base = "      kind: repeated\n      epochs: 2.5\n"
    assert of_study(tmp_path, base) == TokenNoise(dose=0.1, base=Repeated(epochs=2.5))
    for wrong, message in (
        (base.replace("2.5", "0"), "10: `variants.other.base.epochs`: Input should be greater than or equal to 1"),
        (base.replace("repeated", "repeatd"), "9: `variants.other.base.kind`: unknown kind `repeatd`; did you mean"),
        (base + "      epoks: 2\n", "11: `variants.other.base.epoks`: unknown key `epoks`; did you mean `epochs`"),
        (base + "      when_short: repeat\n", "11: `variants.other.base.when_short`: is for the whole variant"),
        (base + "      base: {kind: repeated, epochs: 2}\n", "11: `variants.other.base.base`: is repeated itself"),
    ):
        with pytest.raises(ConfigError) as caught:
            of_study(tmp_path, wrong)
        assert f"study.yaml:{message}" in str(caught.value)


def test_what_a_variant_is_made_from_is_in_the_fingerprint_of_its_streams(
    world: Universe, shares: dict[str, float]
) -> None:
    kinds = [TokenNoise(dose=0.1), TokenNoise(dose=0.1, base=Curated()), TokenNoise(dose=0.1, base=Repeated(epochs=2))]
    assert len({variant(kind, 2000, shares).stream_fingerprint(0) for kind in kinds}) == 3
    assert kinds[1].versions == Mixed(weights={"a": 1.0}, of={"a": kinds[0]}).versions == {"token_noise": 2}
    assert Raw().versions == {}
