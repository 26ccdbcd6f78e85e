"""Token replacement: exact, nested in the dose, the same in every epoch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.variants import Raw, TokenNoise
from dq.variants.ingredient import Rewriter
from tests.variants.worlds import VOCABULARY, all_tokens, permuted, pool, stream_of, universe, variant

WORLD = universe(2, 40)


def noise(dose: float, seed: int = 0) -> Rewriter:
    return TokenNoise(dose=dose).rewriter(WORLD, vocabulary_size=VOCABULARY, seed=seed)


def changed(dose: float, length: int, *, seed: int = 0, document: int = 5) -> set[int]:
    """Positions that are replaced: tokens outside the vocabulary tell the replaced from the kept."""
    tokens = np.full(length, VOCABULARY, np.int32)
    return set(np.flatnonzero(noise(dose, seed)(document, tokens) != VOCABULARY).tolist())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 39))
def test_a_dose_is_exact_to_one_token_a_document_and_nested(
    length: int, one: float, other: float, document: int
) -> None:
    small, large = sorted((one, other))
    few, many = changed(small, length, document=document), changed(large, length, document=document)
    assert abs(len(few) - small * length) <= 0.5 and abs(len(many) - large * length) <= 0.5
    assert few <= many


def test_the_same_position_gets_the_same_token_at_every_dose() -> None:
    tokens = np.full(200, VOCABULARY, np.int32)
    small, large = noise(0.3)(5, tokens), noise(0.8)(5, tokens)
    replaced = small != VOCABULARY
    np.testing.assert_array_equal(small[replaced], large[replaced])


def test_replacements_are_uniform_over_the_vocabulary_without_bos() -> None:
    drawn = noise(1.0)(7, np.zeros(100_000, np.int32))
    counts = np.bincount(drawn, minlength=VOCABULARY)
    assert counts[0] == 0 and len(counts) == VOCABULARY
    expected = 100_000 / (VOCABULARY - 1)
    assert abs(counts[1:] - expected).max() < 6 * np.sqrt(expected)


@pytest.mark.parametrize("bos_id", [0, 7, VOCABULARY - 1])
def test_no_token_becomes_itself_or_bos_wherever_that_stands_in_the_vocabulary(bos_id: int) -> None:
    world = dataclasses.replace(WORLD, bos_id=bos_id)
    rewrite = TokenNoise(dose=1.0).rewriter(world, vocabulary_size=VOCABULARY, seed=0)
    tokens = np.repeat(np.delete(np.arange(VOCABULARY, dtype=np.int32), bos_id), 500)
    drawn = rewrite(7, tokens)
    assert not (drawn == tokens).any()
    assert not (drawn == bos_id).any()
    assert set(drawn.tolist()) == set(tokens.tolist())


def test_seeds_and_documents_are_replaced_differently() -> None:
    assert changed(0.5, 200) == changed(0.5, 200)
    assert len({frozenset(changed(0.5, 200, seed=seed, document=d)) for seed in range(3) for d in range(3)}) == 9


def test_the_given_tokens_are_not_touched() -> None:
    tokens = np.full(50, 3, np.int32)
    noise(1.0)(0, tokens)
    assert (tokens == 3).all()


def test_every_epoch_has_the_same_noise_and_bos_stays(tmp_path: Path) -> None:
    spec = TokenNoise(dose=0.5, when_short="repeat")
    shares, budget = WORLD.raw_shares(), 3 * int(WORLD.lengths.sum())
    stream = stream_of(WORLD, pool(tmp_path, WORLD), variant(spec, budget, shares))
    seen: dict[tuple[int, int], list[int]] = {}
    for at, document in enumerate(stream.order.documents.tolist()):
        begin = int(stream.order.pieces.begins[at])
        tokens = stream.row.tokens(int(stream.order.starts[at]), int(stream.order.starts[at + 1])).tolist()
        assert (tokens[0] == 0) == (begin == 0) and 0 not in tokens[1:]
        assert seen.setdefault((document, begin), tokens) == tokens
    assert stream.order.copies.max() >= 2


def test_noise_stands_on_the_same_documents_as_raw_whatever_their_order(tmp_path: Path) -> None:
    shares = WORLD.raw_shares()
    budget = int(WORLD.lengths[WORLD.available].sum())
    raw, dosed = (
        variant(Raw(), budget, shares),
        variant(TokenNoise(dose=0.5), budget, shares),
    )
    clean = all_tokens(stream_of(WORLD, pool(tmp_path / "a", WORLD), raw))
    noisy = all_tokens(stream_of(WORLD, pool(tmp_path / "a", WORLD), dosed))
    assert ((clean == 0) == (noisy == 0)).all()
    assert abs((clean != noisy).mean() - 0.5) < 0.05
    shuffled = permuted(WORLD, np.random.default_rng(0).permutation(40))
    np.testing.assert_array_equal(noisy, all_tokens(stream_of(shuffled, pool(tmp_path / "b", shuffled), dosed)))
