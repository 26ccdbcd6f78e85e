"""Near-copies: which pieces have one in a stream, and what drawing clusters together does to it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.variants import Curated, Raw, Repeated
from dq.variants.near import near_copies
from tests.variants.worlds import SHAPES, any_world, clustered, fitting_budget, order_of, permuted, universe, variant

SEEDS = st.integers(0, 10_000)


@settings(max_examples=20, deadline=None)
@given(SHAPES, SEEDS, st.sampled_from([Raw(), Curated(), Repeated(epochs=3)]), st.sampled_from(["piece", "document"]))
def test_a_near_copy_is_the_piece_at_the_same_place_of_another_document_of_the_cluster(
    shape: str, seed: int, spec: Any, unit: Any
) -> None:
    world = clustered(any_world(shape, seed), 4, seed=seed)
    shares = world.raw_shares()
    made = variant(spec, fitting_budget(world, shares, world.kept) // 2, shares, unit=unit)
    order, parts = order_of(world, made, seed=seed)

    def marks(pieces: list[tuple[int, int]]) -> list[bool]:
        meets: dict[tuple[int, int], set[int]] = defaultdict(set)
        for document, begin in pieces:
            meets[int(world.stand_ins[document]), begin].add(document)
        return [len(meets[int(world.stand_ins[document]), begin]) > 1 for document, begin in pieces]

    expected = marks(list(zip(order.documents.tolist(), order.pieces.begins.tolist(), strict=True)))
    assert near_copies(world, order.pieces).tolist() == expected

    step = made.piece_tokens or int(world.lengths.max())
    pool = [(d, b) for part in parts for d in part.documents.tolist() for b in range(0, int(world.lengths[d]), step)]
    near = dict(zip(pool, marks(pool), strict=True))
    cut = np.minimum(order.starts, made.budget_tokens)
    manifest = made.manifest(world, [seed])
    for number, (part, one) in enumerate(zip(parts, manifest.parts, strict=True)):
        tokens = {p: min(step, int(world.lengths[p[0]]) - p[1]) for p in pool if p[0] in set(part.documents.tolist())}
        share = sum(n for piece, n in tokens.items() if near[piece]) / sum(tokens.values())
        assert manifest.pool_near_copies[part.name] == pytest.approx(share)
        mine = (order.parts == number) & np.array(expected)
        assert one.near_copy_fraction == pytest.approx((cut[1:] - cut[:-1])[mine].sum() / max(1, one.tokens))


def test_a_small_stream_has_the_corpuss_near_copies_only_if_clusters_are_drawn_together() -> None:
    world = clustered(universe(3, 4000), 2)  # 3,000 of some 230,000 tokens are drawn

    def shares_of(draw: Any) -> tuple[float, float]:
        manifest = variant(Raw(), 3000, world.raw_shares(), draw=draw).manifest(world, range(8))
        there = np.mean(list(manifest.pool_near_copies.values()))
        return float(np.mean([one.near_copy_fraction for one in manifest.parts])), float(there)

    independent, there = shares_of("independent")
    assert independent < 0.1 * there and there > 0.2
    together, as_before = shares_of("cluster")
    assert abs(together - there) < 0.15 * there and as_before == there


def test_drawing_clusters_together_changes_nothing_where_there_are_none() -> None:
    world = universe(4)
    shares = world.raw_shares()
    one, other = (order_of(world, variant(Raw(), 3000, shares, draw=draw))[0] for draw in ("cluster", "independent"))
    assert one.documents.tolist() == other.documents.tolist()


def test_near_copies_stand_together_at_first_and_apart_in_later_epochs() -> None:
    world = clustered(universe(5, 2000), 2, members=1.0)
    shares = world.raw_shares()
    made = variant(Repeated(epochs=4), fitting_budget(world, shares, world.kept), shares, draw="cluster")
    order, _ = order_of(world, made)
    for copy, together in ((0, True), (1, False)):
        at = defaultdict(list)
        for place in np.flatnonzero(order.copies == copy):
            document = order.documents[place]
            at[world.sources[document], world.stand_ins[document], order.pieces.begins[place]].append(int(place))
        distances = [places[1] - places[0] for places in at.values() if len(places) > 1]
        assert len(distances) > 50
        assert (np.median(distances) < 10) == together


def test_ids_and_the_order_of_documents_do_not_move_a_draw_of_clusters() -> None:
    world = clustered(universe(6), 3)
    shares = world.raw_shares()
    order = np.random.default_rng(0).permutation(len(world.lengths))
    shuffled = permuted(world, order)
    one, other = (order_of(w, variant(Raw(), 3000, shares, draw="cluster"))[0] for w in (world, shuffled))
    assert order[other.documents].tolist() == one.documents.tolist()
