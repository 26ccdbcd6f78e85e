"""The stream formula, on usual worlds and on adversarial lengths, against the oracle in plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.stages.tokens import TokenPool
from dq.variants import Curated, Noisy, Raw, Repeated, Stream, TokenNoise, Universe
from dq.variants.order import StreamOrder
from dq.variants.stream import BLOCK_WINDOWS
from tests.variants.oracle import Piece, row_of, seen_windows
from tests.variants.worlds import (
    CONTEXT,
    SHAPES,
    all_tokens,
    any_world,
    clustered,
    fitting_budget,
    order_of,
    permuted,
    pool,
    stream_of,
    universe,
    variant,
)

RAW, CURATED = Raw(), Curated()
SEEDS = st.integers(0, 10_000)
UNITS = st.sampled_from(["piece", "document"])
FEW = settings(max_examples=20, deadline=None)
BLOCK_TOKENS = BLOCK_WINDOWS * CONTEXT


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


def pieces_of(order: StreamOrder) -> list[Piece]:
    columns = (order.documents, order.pieces.begins, order.pieces.lengths, order.copies, order.parts)
    return [Piece(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def whole_windows(stream: Stream) -> np.ndarray[Any, Any]:
    """All windows as they are seen."""
    return stream.windows(0, stream.n_tokens // stream.context)


# --- the row of pieces ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(SHAPES, SEEDS, UNITS, st.integers(2, 7), st.floats(0.1, 1), st.sampled_from(["independent", "cluster"]))
def test_the_stream_is_what_the_formula_says(
    shape: str, seed: int, unit: Any, epochs: int, fill: float, draw: Any
) -> None:
    world = clustered(any_world(shape, seed), 3, seed=seed)
    shares = world.raw_shares()
    budget = max(1, int(fill * fitting_budget(world, shares, world.kept)))
    for spec in (RAW, CURATED, Repeated(epochs=epochs)):
        made = variant(spec, budget, shares, unit=unit, draw=draw)
        order, parts = order_of(world, made, seed=seed)
        expected = row_of(
            world,
            parts,
            budget=budget,
            seed=seed,
            context=CONTEXT if unit == "piece" else None,
            cluster=draw == "cluster",
        )
        assert pieces_of(order) == expected


def test_whole_documents_stand_where_they_stood_before_pieces_were_drawn(
    world: Universe, shares: dict[str, float]
) -> None:
    # Their streams keep their fingerprints (`test_kinds`), so they must not move.
    order, _ = order_of(world, variant(RAW, 2000, shares, unit="document"))
    assert order.documents[:12].tolist() == [15, 189, 32, 97, 114, 111, 119, 159, 199, 117, 9, 148]


def test_whatever_changes_a_stream_changes_its_fingerprint() -> None:
    shares = {"news": 0.25, "web": 0.75}
    kinds = [
        variant(RAW, 2000, shares),
        variant(RAW, 2000, shares, context=32),
        variant(RAW, 2000, shares, unit="document"),
        variant(RAW, 2001, shares),
        variant(CURATED, 2000, shares),
    ]
    assert len({made.stream_fingerprint(seed) for made in kinds for seed in (0, 1)}) == 2 * len(kinds)
    # Whole documents stand alike whatever the context.
    whole = variant(RAW, 2000, shares, context=32, unit="document")
    assert whole.stream_fingerprint(0) == kinds[2].stream_fingerprint(0)


@FEW
@given(SHAPES, SEEDS)
def test_a_document_is_cut_into_its_tokens_each_once(shape: str, seed: int) -> None:
    world = any_world(shape, seed)
    everything = int(world.lengths[world.available].sum())
    order, _ = order_of(world, variant(RAW, everything, world.raw_shares()), seed=seed)
    seen = {
        (d, b + i)
        for d, b, n in zip(order.documents, order.pieces.begins, order.pieces.lengths, strict=True)
        for i in range(n)
    }
    assert len(seen) == everything == int(order.pieces.lengths.sum())
    assert (order.pieces.begins % CONTEXT == 0).all() and order.pieces.lengths.max() <= CONTEXT


@FEW
@given(SHAPES, SEEDS, st.sampled_from([RAW, CURATED]))
def test_parts_stay_mixed_all_along_to_one_piece(shape: str, seed: int, spec: Raw | Curated) -> None:
    world = any_world(shape, seed)
    shares = world.raw_shares()
    order, parts = order_of(world, variant(spec, fitting_budget(world, shares, world.kept), shares), seed=seed)
    ends = order.starts[1:]
    for number, part in enumerate(parts):
        mine = np.cumsum(np.where(order.parts == number, order.pieces.lengths, 0))
        assert (np.abs(mine - ends * part.share) <= CONTEXT * len(parts)).all()


@FEW
@given(SHAPES, SEEDS, st.sampled_from([2, 4, 16]))
def test_shares_and_unique_tokens_are_flat_to_a_piece_however_long_documents_are(
    shape: str, seed: int, epochs: int
) -> None:
    world = any_world(shape, seed)
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    for spec in (RAW, CURATED, Repeated(epochs=epochs)):
        for one in variant(spec, budget, shares).manifest(world, [seed]).parts:
            assert abs(one.tokens - one.target_tokens) <= CONTEXT * len(shares)
            assert -CONTEXT * len(shares) <= one.unique_tokens - one.target_unique_tokens < CONTEXT


@FEW
@given(SHAPES, SEEDS, st.sampled_from([2, 4, 16]))
def test_a_piece_is_seen_k_times_or_once_less_where_its_part_has_k_pieces(shape: str, seed: int, epochs: int) -> None:
    world = any_world(shape, seed)
    shares = world.raw_shares()
    made = variant(Repeated(epochs=epochs), fitting_budget(world, shares, world.kept), shares)
    order, parts = order_of(world, made, seed=seed)
    for number, part in enumerate(parts):
        if part.quota < epochs * CONTEXT:  # one piece too many is then a whole epoch too few
            continue
        mine = order.parts == number
        _, copies = np.unique(order.documents[mine] * 10**6 + order.pieces.begins[mine], return_counts=True)
        # Cut at T, the very last copies of a part may lie behind the stream's end: so two less, for a few pieces.
        assert copies.max() <= epochs and np.mean(copies >= epochs - 1) > 0.95 and copies.min() >= epochs - 2


def test_copies_are_spread_one_a_kth_of_the_stream() -> None:
    world, epochs = universe(5, 2000), 4
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    order, parts = order_of(world, variant(Repeated(epochs=epochs), budget, shares))
    slack = CONTEXT * len(parts) * epochs / budget * (epochs + 1)  # a piece an epoch, as a share of one
    for copy in range(epochs):
        starts = order.starts[:-1][order.copies == copy] / budget * epochs
        assert starts.min() >= copy - slack - 0.02 and starts.max() <= copy + 1 + slack + 0.02
        assert abs(starts.mean() - copy - 0.5) < 0.02


def test_each_epoch_has_the_same_pieces_in_another_order() -> None:
    world = universe(5, 2000)
    shares = world.raw_shares()
    order, _ = order_of(world, variant(Repeated(epochs=3), fitting_budget(world, shares, world.kept), shares))
    pieces = order.documents * 1000 + order.pieces.begins
    epochs = [pieces[order.copies == copy].tolist() for copy in range(3)]
    assert set(epochs[1]) == set(epochs[0]) and len(set(epochs[1])) == len(epochs[1])
    assert set(epochs[2]) <= set(epochs[0]) and len(set(epochs[2])) > 0.9 * len(set(epochs[0]))
    ranks = {piece: rank for rank, piece in enumerate(epochs[0])}
    for epoch in epochs[1:]:
        correlation = np.corrcoef(np.arange(len(epoch)), [ranks[piece] for piece in epoch])[0, 1]
        assert abs(correlation) < 0.1


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


def test_a_stream_of_one_document_is_repeated_whole() -> None:
    world = permuted(universe(0, 2), np.array([0]))
    length = int(world.lengths[0])
    spec = Raw(when_short="repeat")
    order, _ = order_of(world, variant(spec, 5 * length, world.raw_shares(), unit="document"))
    assert order.documents.tolist() == [0] * 5 and order.copies.tolist() == [0, 1, 2, 3, 4]


# --- streams that agree ---------------------------------------------------------------------------------------------


def through_whole_blocks(tokens: int) -> int:
    """Windows of the blocks that lie wholly before a position."""
    return tokens // BLOCK_TOKENS * BLOCK_WINDOWS


@FEW
@given(SHAPES, SEEDS, st.sampled_from([RAW, CURATED]), st.floats(0.05, 1), UNITS)
def test_a_smaller_budget_is_a_prefix_of_a_larger_one(
    tmp_path_factory: pytest.TempPathFactory, shape: str, seed: int, spec: Any, fill: float, unit: Any
) -> None:
    world = any_world(shape, seed)
    shares, tokens = world.raw_shares(), pool(tmp_path_factory.mktemp("pool"), world)
    most = fitting_budget(world, shares, world.kept)
    budgets = (max(CONTEXT, int(fill * most)), most)
    short, long = (stream_of(world, tokens, variant(spec, b, shares, unit=unit), seed=seed) for b in budgets)
    # In the row to the last token, with the target behind it; as windows are seen, through the last whole block.
    np.testing.assert_array_equal(all_tokens(short), all_tokens(long)[: budgets[0] + 1])
    whole = through_whole_blocks(budgets[0]) if unit == "piece" else budgets[0] // CONTEXT
    np.testing.assert_array_equal(whole_windows(short)[:whole], whole_windows(long)[:whole])


@FEW
@given(SHAPES, SEEDS, st.sampled_from([2, 3, 4, 8]), UNITS)
def test_repeated_is_curated_through_its_first_u_tokens(
    tmp_path_factory: pytest.TempPathFactory, shape: str, seed: int, epochs: int, unit: Any
) -> None:
    world = any_world(shape, seed)
    shares, tokens = world.raw_shares(), pool(tmp_path_factory.mktemp("pool"), world)
    budget = fitting_budget(world, shares, world.kept)
    curated, repeated = (
        stream_of(world, tokens, variant(spec, budget, shares, unit=unit), seed=seed)
        for spec in (CURATED, Repeated(epochs=epochs))
    )
    unique = budget // epochs
    np.testing.assert_array_equal(all_tokens(repeated)[:unique], all_tokens(curated)[:unique])
    whole = through_whole_blocks(unique - 1) if unit == "piece" else unique // CONTEXT - 1
    np.testing.assert_array_equal(whole_windows(repeated)[:whole], whole_windows(curated)[:whole])
    assert (all_tokens(repeated) != all_tokens(curated)).any()


@FEW
@given(SHAPES, SEEDS, st.floats(0.05, 0.5), st.floats(0.3, 9), st.floats(1, 3))
def test_a_stream_of_a_fixed_pool_is_a_prefix_of_a_longer_one_until_a_part_has_given_all(
    shape: str, seed: int, fill: float, epochs: float, longer: float
) -> None:
    world = any_world(shape, seed)
    shares = world.raw_shares()
    spec = Repeated(pool_tokens=max(1, int(fill * fitting_budget(world, shares, world.kept))))
    assert spec.pool_tokens
    budgets = [max(1, int(times * spec.pool_tokens)) for times in (epochs, epochs * longer)]
    (one, parts), (other, _) = (order_of(world, variant(spec, budget, shares), seed=seed) for budget in budgets)
    few, many = pieces_of(one), pieces_of(other)
    pools = [[[p for p in row if p.part == n and p.copy == 0] for n in range(len(parts))] for row in (few, many)]
    assert all(mine == larger[: len(mine)] for mine, larger in zip(*pools, strict=True))
    # A part gives what stands first in it, and the cut at T takes no more from it than it has in the longer stream.
    for number in range(len(parts)):
        mine, theirs = ([p for p in row if p.part == number] for row in (few, many))
        assert mine[: min(len(mine), len(theirs))] == theirs[: min(len(mine), len(theirs))]
    if len(parts) == 1 or epochs <= 1:
        assert few == many[: len(few)]


def test_one_pool_serves_all_epochs_as_branches_of_one_stream(tmp_path: Path) -> None:
    world = universe(5, 2000)
    shares, unique = world.raw_shares(), 8 * BLOCK_TOKENS
    tokens, spec = pool(tmp_path, world), Repeated(pool_tokens=unique)
    longest = whole_windows(stream_of(world, tokens, variant(spec, 16 * unique, shares)))
    for epochs in (1, 2, 4, 8):
        short = whole_windows(stream_of(world, tokens, variant(spec, epochs * unique, shares)))
        same = (short == longest[: len(short)]).all(axis=1)
        assert same[: int(0.9 * len(same)) // BLOCK_WINDOWS * BLOCK_WINDOWS].all()
        for measured in variant(spec, epochs * unique, shares).manifest(world, [0]).parts:
            assert abs(measured.epochs - epochs) < 0.02 * epochs


def test_repeated_once_is_curated(world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int) -> None:
    curated = whole_windows(stream_of(world, tokens, variant(CURATED, budget, shares)))
    for once in (Repeated(epochs=1), Repeated(pool_tokens=budget), Repeated(pool_tokens=2 * budget)):
        np.testing.assert_array_equal(whole_windows(stream_of(world, tokens, variant(once, budget, shares))), curated)


@FEW
@given(SHAPES, SEEDS)
def test_pools_of_a_smaller_unique_budget_are_the_first_pieces_of_larger_ones(shape: str, seed: int) -> None:
    world = any_world(shape, seed)
    shares = world.raw_shares()
    budget = fitting_budget(world, shares, world.kept)
    larger: list[list[Piece]] | None = None
    for spec in (CURATED, *(Repeated(epochs=epochs) for epochs in (2, 3, 5, 9))):
        order, parts = order_of(world, variant(spec, budget, shares), seed=seed)
        first = [piece for piece in pieces_of(order) if piece.copy == 0]
        pools = [[piece for piece in first if piece.part == number] for number in range(len(parts))]
        for number, mine in enumerate(pools):
            assert larger is None or mine == larger[number][: len(mine)]
        larger = pools


def test_a_prefix_holds_where_sources_tie_exactly_along_the_stream() -> None:
    # Documents of equal length in shares of 3 to 7: their keys meet again and again, but for rounding.
    n = 400
    everything = np.ones(n, bool)
    world = Universe(
        lengths=np.full(n, 21, np.int64),
        sources=np.where(np.arange(n) % 2 == 0, "a", "b").astype(object),
        content_keys=np.arange(n, dtype=np.uint64),
        occurrences=np.zeros(n, np.uint32),
        available=everything,
        kept=everything,
        dropped=~everything,
    )
    shares = {"a": 0.3, "b": 0.7}
    whole = pieces_of(order_of(world, variant(CURATED, 5000, shares))[0])
    for budget in range(100, 5000, 37):
        order, _ = order_of(world, variant(CURATED, budget, shares))
        assert pieces_of(order) == whole[: len(order.documents)]


# --- windows --------------------------------------------------------------------------------------------------------


def flat(order: StreamOrder, tokens: TokenPool) -> np.ndarray[Any, Any]:
    """The row, piece by piece."""
    return np.concatenate([tokens.tokens(p.document)[p.begin : p.begin + p.length] for p in pieces_of(order)]).astype(
        np.int32
    )


@pytest.mark.parametrize("spec", [RAW, CURATED, Repeated(epochs=3), Noisy(dose=0.2)])
@pytest.mark.parametrize("unit", ["piece", "document"])
def test_windows_are_slices_of_the_row_each_once_in_the_order_of_the_formula(
    spec: Any, unit: Any, world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    made = variant(spec, budget // 2 // 64 * 64, shares, unit=unit)
    stream = stream_of(world, tokens, made, seed=4)
    row, n = flat(stream.order, tokens), stream.n_tokens // CONTEXT
    assert n % BLOCK_WINDOWS and n > BLOCK_WINDOWS and stream.n_tokens == made.budget_tokens
    order = seen_windows(n, 4) if unit == "piece" else list(range(n))
    assert sorted(order) == list(range(n))
    seen = whole_windows(stream)
    assert seen.shape == (n, CONTEXT + 1) and seen.dtype == np.int32
    for window, place in zip(seen, order, strict=True):
        expected = row[place * CONTEXT : (place + 1) * CONTEXT + 1]
        np.testing.assert_array_equal(window[: len(expected)], expected)
    for begin, end in ((0, 1), (5, 5), (100, 257), (stream.n_tokens - 1, stream.n_tokens)):
        np.testing.assert_array_equal(stream.row.tokens(begin, end), row[begin:end])


@settings(max_examples=30, deadline=None)
@given(at=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200)), min_size=1, max_size=8), unit=UNITS)
@pytest.mark.parametrize("spec", [Repeated(epochs=3), TokenNoise(dose=0.5)])
def test_a_window_is_the_same_wherever_reading_begins(
    spec: Any, world: Universe, tokens: TokenPool, shares: dict[str, float], at: list[tuple[int, int]], unit: Any
) -> None:
    made = variant(spec, fitting_budget(world, shares, world.kept), shares, unit=unit)
    stream = stream_of(world, tokens, made)
    whole = whole_windows(stream_of(world, tokens, made))
    for anywhere, most in at:
        first = anywhere % len(whole)
        count = min(most, len(whole) - first)
        np.testing.assert_array_equal(stream.windows(first, count), whole[first : first + count])


def test_windows_are_mixed_alike_in_every_variant_of_a_seed_and_otherwise_in_another(
    world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    streams = [stream_of(world, tokens, variant(spec, budget, shares), seed=2) for spec in (RAW, Repeated(epochs=4))]
    orders = [stream.places(1).tolist() for stream in streams]
    assert orders[0] == orders[1] != stream_of(world, tokens, variant(RAW, budget, shares), seed=3).places(1).tolist()
    assert np.array(orders[0]).min() == BLOCK_WINDOWS and sorted(orders[0]) != orders[0]
    assert (streams[0].places(0) + BLOCK_WINDOWS).tolist() != orders[0]


def test_the_last_target_is_the_token_at_t_or_the_bos_behind_the_last_document(
    world: Universe, tokens: TokenPool, shares: dict[str, float], budget: int
) -> None:
    whole = order_of(world, variant(RAW, budget, shares, unit="document"))[0]
    at_end_of_a_document = int(whole.starts[5])
    for length in (at_end_of_a_document - 1, at_end_of_a_document, at_end_of_a_document + 1):
        stream = stream_of(world, tokens, variant(RAW, length, shares, context=length, unit="document"))
        window = stream.windows(0, 1)[0]
        np.testing.assert_array_equal(window, flat(whole, tokens)[: length + 1])
        assert (window[-1] == 0) == (length == at_end_of_a_document)


@pytest.mark.parametrize("unit", ["piece", "document"])
def test_a_budget_of_the_whole_corpus_ends_with_a_bos(
    world: Universe, tokens: TokenPool, shares: dict[str, float], unit: Any
) -> None:
    everything = int(world.lengths[world.available].sum())
    stream = stream_of(world, tokens, variant(RAW, everything, shares, context=everything, unit=unit))
    assert sorted(stream.order.documents.tolist()) == np.flatnonzero(world.available).tolist()
    assert stream.windows(0, 1)[0, -1] == 0


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([CURATED, Repeated(epochs=16), Raw(when_short="repeat")]), UNITS)
def test_unique_tokens_count_first_sights_in_the_order_of_windows(
    tmp_path_factory: pytest.TempPathFactory, seed: int, spec: Any, unit: Any
) -> None:
    # So few tokens that a block of windows has several epochs of them: later copies come before first ones.
    world = universe(seed, 30 if spec.when_short == "repeat" else 90)
    shares = world.raw_shares()
    fits = fitting_budget(world, shares, world.kept)
    total = (3 * int(world.lengths.sum()) if spec.when_short == "repeat" else fits) // CONTEXT * CONTEXT
    stream = stream_of(world, pool(tmp_path_factory.mktemp("pool"), world), variant(spec, total, shares, unit=unit))
    row = [(p.document, p.begin + i) for p in pieces_of(stream.order) for i in range(p.length)]
    order = seen_windows(total // CONTEXT, 0) if unit == "piece" else list(range(total // CONTEXT))
    seen: set[tuple[int, int]] = set()
    expected = [0]
    for window in order:
        for token in row[window * CONTEXT : (window + 1) * CONTEXT]:
            seen.add(token)
            expected.append(len(seen))
    assert [stream.unique_tokens(tokens_seen) for tokens_seen in range(total + 1)] == expected
    assert stream.epoch(0) == 0
    assert stream.epoch(total) == total / expected[total]
