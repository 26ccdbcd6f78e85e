"""The stream formula, on two sources of unequal keep rates and document lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.stages.tokens import TokenPool
from dq.variants import Curated, Noisy, Part, Raw, Repeated, Universe
from dq.variants.stream import StreamOrder, draws, order_stream
from tests.variants.worlds import all_tokens, fitting_budget, order_of, permuted, pool, stream_of, universe, variant

RAW, CURATED = Raw(), Curated()
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=20, deadline=None)


@pytest.fixture(scope="module")
def world() -> Universe:
    return universe(1)


@pytest.fixture(scope="module")
def shares(world: Universe) -> dict[str, float]:
    return world.raw_shares()


@pytest.fixture(scope="module")
def tokens(world: Universe, tmp_path_factory: pytest.TempPathFactory) -> TokenPool:
    return pool(tmp_path_factory.mktemp("pool"), world)


@pytest.fixture(scope="module")
def budget(world: Universe, shares: dict[str, float]) -> int:
    return fitting_budget(world, shares, world.kept)


def longest_of(world: Universe, parts: list[Part]) -> int:
    """One document of each part, the longest of it."""
    return sum(int(world.lengths[part.documents].max()) for part in parts)


def draw_order(world: Universe, part: Part, seed: int) -> list[int]:
    """The definition, by sorting in Python."""
    drawn = draws(world, part.documents, source=part.source, seed=seed, copy=0)
    ties = zip(
        drawn, world.content_keys[part.documents], world.occurrences[part.documents], part.documents, strict=True
    )
    return [int(document) for *_, document in sorted(ties)]


def brute_force(world: Universe, parts: list[Part], budget: int, seed: int) -> list[tuple[int, int]]:
    """(document, copy) of the whole stream, straight from the definition."""
    occurrences = []
    for part in parts:
        before, pool_ = 0, []
        for document in draw_order(world, part, seed):
            if before < part.quota:
                pool_.append((document, before))
                before += int(world.lengths[document])
        k = part.tokens / before
        keyed = [(s / part.share, document, 0) for document, s in pool_]
        for copy in range(1, int(np.ceil(k - 1e-6))):
            for document, _ in pool_:
                u = draws(world, np.array([document]), source=part.source, seed=seed, copy=copy)[0]
                keyed.append(((copy + u) / k * part.tokens / part.share, document, copy))
        given_ = 0
        for key, document, copy in sorted(keyed):
            if given_ < part.tokens:
                occurrences.append((key, document, copy))
                given_ += int(world.lengths[document])
    stream, position = [], 0
    for _, document, copy in sorted(occurrences, key=lambda one: one[0]):
        if position <= budget:
            stream.append((document, copy))
        position += int(world.lengths[document])
    return stream


@FEW
@given(SEEDS, st.integers(2, 7), st.floats(0.1, 1))
def test_the_stream_is_what_the_definition_says(world_seed: int, epochs: int, fill: float) -> None:
    world = universe(world_seed, 60)
    shares = world.raw_shares()
    budget = max(1, int(fill * fitting_budget(world, shares, world.kept)))
    for spec in (RAW, CURATED, Repeated(epochs=epochs)):
        order, parts = order_of(world, variant(spec, budget, shares), seed=world_seed)
        expected = brute_force(world, parts, budget, world_seed)
        # Both sources begin at key 0; which of the two comes first is a tie, broken by content.
        start = sum(1 for document, copy in expected[:2] if copy == 0)
        got = list(zip(order.documents.tolist(), order.copies.tolist(), strict=True))
        assert sorted(got[:start]) == sorted(expected[:start]) or len(got) == 1
        assert got[start:] == expected[start:]


def test_one_epoch_is_the_curated_order(world: Universe, shares: dict[str, float], budget: int) -> None:
    order, parts = order_of(world, variant(CURATED, budget, shares))
    assert (order.copies == 0).all()
    for number, part in enumerate(parts):
        mine = order.documents[order.parts == number].tolist()
        assert mine == draw_order(world, part, 0)[: len(mine)]


@FEW
@given(SEEDS, st.integers(2, 9))
def test_repeated_equals_curated_through_its_first_u_tokens(seed: int, epochs: int) -> None:
    world = universe(seed, 80)
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    curated, _ = order_of(world, variant(CURATED, budget, shares), seed=seed)
    repeated, _ = order_of(world, variant(Repeated(epochs=epochs), budget, shares), seed=seed)
    through = int(np.searchsorted(repeated.starts, budget // epochs, side="left"))
    assert repeated.documents[:through].tolist() == curated.documents[:through].tolist()
    assert (repeated.copies[:through] == 0).all()


def test_repeated_equals_curated_token_for_token(
    world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    curated = stream_of(world, tokens, variant(CURATED, budget, shares))
    for epochs in (2, 4, 10):
        repeated = stream_of(world, tokens, variant(Repeated(epochs=epochs), budget, shares))
        unique = budget // epochs
        np.testing.assert_array_equal(repeated.tokens(0, unique), curated.tokens(0, unique))
        assert (all_tokens(repeated) != all_tokens(curated)).any()


def test_a_prefix_holds_where_sources_tie_exactly_along_the_stream() -> None:
    # Documents of equal length in shares of 3 to 7: their keys meet again and again, but for rounding.
    n = 400
    sources = np.where(np.arange(n) % 2 == 0, "a", "b").astype(object)
    everything = np.ones(n, bool)
    world = Universe(
        np.full(n, 21, np.int64),
        sources,
        np.arange(n, dtype=np.uint64),
        np.zeros(n, np.uint32),
        everything,
        everything,
        ~everything,
    )
    shares = {"a": 0.3, "b": 0.7}
    whole, _ = order_of(world, variant(CURATED, 5000, shares))
    for budget in range(100, 5000, 37):
        order, _ = order_of(world, variant(CURATED, budget, shares))
        assert order.documents.tolist() == whole.documents[: len(order.documents)].tolist()


def test_prefixes_hold_token_for_token_with_the_last_target(
    world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    for spec in (RAW, CURATED):
        whole = all_tokens(stream_of(world, tokens, variant(spec, budget, shares)))
        for part in (1, 7, budget // 3, budget - 1):
            short = all_tokens(stream_of(world, tokens, variant(spec, part, shares)))
            np.testing.assert_array_equal(short, whole[: part + 1])


def test_pools_of_a_smaller_unique_budget_are_the_first_documents_of_larger_ones(
    world: Universe, shares: dict[str, float], budget: int
) -> None:
    drawn: dict[int, list[list[int]]] = {}
    for epochs in (2, 3, 5, 9):
        order, parts = order_of(world, variant(Repeated(epochs=epochs), budget, shares))
        first = order.copies == 0
        drawn[epochs] = [order.documents[first & (order.parts == number)].tolist() for number in range(2)]
        for number, part in enumerate(parts):
            ranked = draw_order(world, part, 0)
            assert drawn[epochs][number] == ranked[: len(drawn[epochs][number])]
    assert [len(pool_[0]) for pool_ in drawn.values()] == sorted((len(p[0]) for p in drawn.values()), reverse=True)


def test_copies_are_spread_one_a_kth_of_the_stream() -> None:
    world, epochs = universe(5, 2000), 4
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    order, parts = order_of(world, variant(Repeated(epochs=epochs), budget, shares))
    slack = longest_of(world, parts) * epochs / budget * (epochs + 1)  # a document an epoch, as a share of one
    for copy in range(epochs):
        starts = order.starts[:-1][order.copies == copy] / budget * epochs
        assert starts.min() >= copy - slack and starts.max() <= copy + 1 + slack
        assert abs(starts.mean() - copy - 0.5) < 0.05


def test_each_epoch_has_the_same_documents_in_another_order() -> None:
    world = universe(5, 2000)
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    order, _ = order_of(world, variant(Repeated(epochs=3), budget, shares))
    epochs = [order.documents[order.copies == copy].tolist() for copy in range(3)]
    assert set(epochs[1]) == set(epochs[0]) and len(set(epochs[1])) == len(epochs[1])
    assert set(epochs[2]) <= set(epochs[0]) and len(set(epochs[2])) > 0.9 * len(set(epochs[0]))
    ranks = {document: rank for rank, document in enumerate(epochs[0])}
    for epoch in epochs[1:]:
        correlation = np.corrcoef(np.arange(len(epoch)), [ranks[document] for document in epoch])[0, 1]
        assert abs(correlation) < 0.2


@FEW
@given(SEEDS, st.sampled_from([RAW, CURATED]))
def test_parts_stay_mixed_all_along(seed: int, spec: Raw | Curated) -> None:
    world = universe(seed, 300)
    shares = world.raw_shares()
    order, parts = order_of(world, variant(spec, fitting_budget(world, shares, world.kept), shares), seed=seed)
    ends, slack = order.starts[1:], longest_of(world, parts)
    for number, part in enumerate(parts):
        mine = np.cumsum(np.where(order.parts == number, np.diff(order.starts), 0))
        assert (np.abs(mine - ends * part.share) <= slack).all()


def test_every_tenth_of_a_repeated_stream_has_each_source_near_its_share() -> None:
    world = universe(5, 4000)
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    for spec in (Repeated(epochs=4), Noisy(dose=0.3)):
        order, parts = order_of(world, variant(spec, budget // 2, shares))
        tenth = np.minimum(order.starts[:-1] * 10 // (budget // 2), 9)
        for number, part in enumerate(parts):
            tokens = np.bincount(tenth, np.where(order.parts == number, np.diff(order.starts), 0), minlength=10)
            assert np.abs(tokens / (budget / 20) - part.share).max() < 0.05


def test_two_seeds_draw_different_pools(world: Universe, shares: dict[str, float], budget: int) -> None:
    made = variant(Repeated(epochs=5), budget, shares)
    pools = [set(order_of(world, made, seed=seed)[0].documents.tolist()) for seed in range(3)]
    assert pools[0] != pools[1] != pools[2]


def flat(order: StreamOrder, tokens: TokenPool) -> np.ndarray[Any, Any]:
    return np.concatenate([tokens.tokens(int(document)) for document in order.documents]).astype(np.int32)


@pytest.mark.parametrize("spec", [RAW, CURATED, Repeated(epochs=3), Noisy(dose=0.2)])
def test_windows_are_slices_of_the_documents_one_after_another(
    spec: Any, world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    context, made = 16, variant(spec, budget // 2 // 64 * 64, shares)
    stream = stream_of(world, tokens, made, context=context)
    whole = flat(stream.order, tokens)
    assert stream.n_tokens == made.budget_tokens
    for first, count in ((0, 1), (0, 4), (3, 2), (17, 5), (stream.n_tokens // context - 1, 1)):
        windows = stream.windows(first, count)
        assert windows.shape == (count, context + 1) and windows.dtype == np.int32
        for row, window in enumerate(windows):
            begin = (first + row) * context
            expected = whole[begin : begin + context + 1]
            np.testing.assert_array_equal(window[: len(expected)], expected)
    for begin, end in ((0, 1), (5, 5), (100, 257), (stream.n_tokens - 1, stream.n_tokens)):
        np.testing.assert_array_equal(stream.tokens(begin, end), whole[begin:end])


def test_the_last_target_is_the_token_at_t_or_the_next_documents_bos(
    world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    whole = order_of(world, variant(RAW, budget, shares))[0]
    at_end_of_a_document = int(whole.starts[5])
    for length in (at_end_of_a_document - 1, at_end_of_a_document, at_end_of_a_document + 1):
        stream = stream_of(world, tokens, variant(RAW, length, shares), context=length)
        window = stream.windows(0, 1)[0]
        np.testing.assert_array_equal(window, flat(whole, tokens)[: length + 1])
        assert (window[-1] == 0) == (length == at_end_of_a_document)


def test_a_budget_of_the_whole_corpus_ends_with_a_bos(
    world: Universe, tokens: TokenPool, shares: dict[str, float]
) -> None:
    everything = int(world.lengths[world.available].sum())
    stream = stream_of(world, tokens, variant(RAW, everything, shares), context=everything)
    assert sorted(stream.order.documents.tolist()) == np.flatnonzero(world.available).tolist()
    assert stream.windows(0, 1)[0, -1] == 0


@pytest.mark.parametrize("spec", [CURATED, Repeated(epochs=3), Raw(when_short="repeat")])
def test_unique_tokens_count_first_sights(
    spec: Any, world: Universe, shares: dict[str, float], budget: int, tmp_path: Path
) -> None:
    total = 3 * int(world.lengths.sum()) if spec.when_short == "repeat" else budget
    stream = stream_of(world, pool(tmp_path, world), variant(spec, total, shares))
    seen: set[tuple[int, int]] = set()
    expected = [0]
    for document in stream.order.documents:
        for position in range(int(world.lengths[document])):
            seen.add((int(document), position))
            expected.append(len(seen))
    got = [stream.unique_tokens(tokens_seen) for tokens_seen in range(total + 1)]
    assert got == expected[: total + 1]
    assert stream.epoch(0) == 0
    assert stream.epoch(total) == total / expected[total]


def test_a_stream_of_one_document_is_repeated_whole() -> None:
    world = universe(0, 2)
    one = permuted(world, np.array([0]))
    spec = Raw(when_short="repeat")
    length = int(one.lengths[0])
    order = order_stream(one, variant(spec, 5 * length, one.raw_shares()).parts(one), budget_tokens=5 * length, seed=0)
    assert order.documents.tolist() == [0] * 5 and order.copies.tolist() == [0, 1, 2, 3, 4]
