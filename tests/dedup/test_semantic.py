"""Semantic deduplication of vectors, beside a greedy search in plain Python with sums that are rounded once."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from dq.arrays import Array
from dq.dedup import Policy, deduplicate_vectors, semantic
from dq.errors import ConfigError, InputError


def cosine(one: Array, other: Array) -> float:
    a, b = one.tolist(), other.tolist()
    dot, squares, others = (math.fsum(x * y for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (a, a), (b, b)))
    return dot / math.sqrt(squares * others)


def by_hand(vectors: Array, order: Array, threshold: float) -> tuple[list[int], list[float]]:
    """For each vector the nearest kept one, and their cosine, by trying all pairs."""
    near = functools.cache(lambda one, other: cosine(vectors[one], vectors[other]))
    there = [row for row in np.argsort(order).tolist() if vectors[row].any()]
    kept: list[int] = []
    for row in there:
        if all(near(row, other) < threshold for other in kept):
            kept.append(row)
    target, cosines = list(range(len(vectors))), [1.0] * len(vectors)
    for row in set(there) - set(kept):
        cosines[row], target[row] = max(((near(row, other), other) for other in kept), key=lambda found: found[0])
    return target, cosines


def clustered(seed: int, count: int, dimensions: int) -> Array:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((count // 6, dimensions))
    near = centres[generator.integers(0, len(centres), count)] + 0.25 * generator.standard_normal((count, dimensions))
    vectors = (near * generator.lognormal(0, 3, (count, 1))).astype(np.float32)
    vectors[generator.integers(0, count, 9)] = 0
    vectors[generator.integers(0, count, 30)] = vectors[generator.integers(0, count, 30)]
    return vectors


@pytest.mark.parametrize(("dimensions", "threshold"), [(3, 0.99), (8, 0.9), (8, 0.5), (24, 0.95), (24, 1.0)])
def test_it_is_the_greedy_search_over_all_pairs(
    dimensions: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, order = clustered(dimensions, 240, dimensions), np.random.default_rng(1).permutation(240)
    target, cosines = by_hand(vectors, order, threshold)
    whole = deduplicate_vectors(vectors, threshold=threshold, order=order)
    assert whole["kept_index"].to_list() == target
    assert np.allclose(whole["cosine"].to_numpy(), cosines, rtol=0, atol=1e-14)
    assert whole["cluster"].to_list() == [target.count(one) for one in target]
    assert 9 < sum(one != row for row, one in enumerate(target)) < 231
    monkeypatch.setattr(semantic, "BLOCK", 7)
    monkeypatch.setattr(semantic, "TILE", 5)
    assert deduplicate_vectors(vectors, threshold=threshold, order=order).equals(whole)


def test_the_order_of_rows_decides_nothing_where_ranks_are_given() -> None:
    vectors, order = clustered(3, 200, 6), np.random.default_rng(2).permutation(200)
    mixed = np.random.default_rng(3).permutation(200)
    one = deduplicate_vectors(vectors, threshold=0.9, order=order)
    other = deduplicate_vectors(vectors[mixed], threshold=0.9, order=order[mixed])
    assert mixed[other["kept_index"].to_numpy()].tolist() == one["kept_index"].to_numpy()[mixed].tolist()
    assert other["cosine"].to_list() == one["cosine"].to_numpy()[mixed].tolist()


def test_a_cosine_at_the_threshold_is_a_duplicate_and_one_below_is_none() -> None:
    vectors = np.array([[4.0, 3.0], [3.0, 4.0]])  # 24 / 25
    assert deduplicate_vectors(vectors, threshold=0.96)["kept_index"].to_list() == [0, 0]
    above = math.nextafter(0.96, 1)
    assert deduplicate_vectors(vectors, threshold=above)["kept_index"].to_list() == [0, 1]


def test_pairs_that_single_precision_cannot_tell_from_the_threshold_are_told() -> None:
    """Cosines that differ from the threshold in the tenth digit, in every place of blocks and tiles."""
    generator = np.random.default_rng(5)
    base = generator.standard_normal((1, 64)).astype(np.float32)
    vectors = (base + 1e-2 * generator.standard_normal((300, 64))).astype(np.float32)
    cosines = np.array([cosine(vectors[0], other) for other in vectors])
    threshold = float(np.median(cosines[1:]))
    kept = deduplicate_vectors(vectors, threshold=threshold)["kept_index"].to_numpy()
    first = np.flatnonzero(kept != np.arange(300))
    assert {row for row in range(1, 300) if cosines[row] >= threshold} <= set(first.tolist())
    assert kept.tolist() == by_hand(vectors, np.arange(300), threshold)[0]


def test_there_are_no_chains() -> None:
    """The second is near both others, which are not near each other: it goes, they stay."""
    angles = np.radians([0, 10, 20])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    threshold = float(np.cos(np.radians(11)))
    assert deduplicate_vectors(vectors, threshold=threshold)["kept_index"].to_list() == [0, 0, 2]
    assert (
        deduplicate_vectors(vectors, threshold=threshold, order=np.array([1, 0, 2]))["kept_index"].to_list() == [1] * 3
    )


def test_what_is_removed_names_the_nearest_even_if_that_was_kept_later() -> None:
    angles = np.radians([0, 9, 20, 10.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = deduplicate_vectors(vectors, threshold=float(np.cos(np.radians(10.8))))
    assert found["kept_index"].to_list() == [0, 0, 2, 2]
    assert found["cosine"][3] == pytest.approx(math.cos(math.radians(9.5)), abs=1e-7)


def test_equal_vectors_of_any_length_have_a_cosine_of_1_and_the_first_of_equally_near_ones_is_named() -> None:
    one = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    found = deduplicate_vectors(np.stack([one, 2 * one, one / 1024, one]), threshold=1.0)
    assert found["kept_index"].to_list() == [0] * 4 and found["cosine"].to_list() == [1.0] * 4
    sides = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])
    for order, nearest in (([0, 1, 2], 0), ([1, 0, 2], 1)):
        assert deduplicate_vectors(sides, threshold=0.7, order=np.array(order))["kept_index"].to_list()[2] == nearest


def test_zero_vectors_match_nothing_and_the_largest_and_smallest_numbers_do() -> None:
    rows = [[0, 0], [0, 0], [3e38, 3e38], [1e-45, 1e-45], [1e-45, 0], [-1, -1]]
    found = deduplicate_vectors(np.array(rows, np.float32), threshold=0.99)
    assert found["kept_index"].to_list() == [0, 1, 2, 2, 4, 5]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_every_width_are_taken(dtype: Any) -> None:
    vectors = clustered(1, 120, 5) / 1e6
    wanted = deduplicate_vectors(vectors.astype(dtype).astype(np.float32), threshold=0.9)
    assert deduplicate_vectors(vectors.astype(dtype), threshold=0.9).equals(wanted)
    assert deduplicate_vectors(np.asfortranarray(vectors.astype(dtype)), threshold=0.9).equals(wanted)


def test_nothing_and_one_are_kept() -> None:
    assert deduplicate_vectors(np.empty((0, 4), np.float32), threshold=0.9).height == 0
    assert deduplicate_vectors(np.ones((1, 4), np.float32), threshold=0.9)["kept_index"].to_list() == [0]


def test_policies_rank_vectors_as_they_rank_texts() -> None:
    vectors = np.ones((3, 2), np.float32)
    documents = pl.DataFrame({"content_key": [3, 1, 2], "date": ["2024", "2021", "2022"]})
    order = Policy.parse("earliest:date").ranks(documents)
    assert deduplicate_vectors(vectors, threshold=0.9, order=order)["kept_index"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (np.array([[1.0], [np.nan]]), {}, "row 1 holds a value that is no finite number"),
        (np.array([[1.0], [1.0], [1e300]]), {}, "row 2 holds a value that is no finite number"),
        (np.array([1.0, 2.0]), {}, "not one of float64 and shape (2,)"),
        (np.ones((2, 2), np.int64), {}, "not one of int64"),
        (np.ones((2, 0)), {}, "shape (2, 0)"),
        ([["a"]], {}, "takes an array of floats"),
        (np.ones((2, 2)), {"threshold": 0.0}, "above 0 and at most 1"),
        (np.ones((2, 2)), {"threshold": 1.5}, "above 0 and at most 1"),
        (np.ones((2, 2)), {"threshold": math.nan}, "above 0 and at most 1"),
        (np.ones((2, 2)), {"order": np.arange(3)}, "2 vectors, but 2 eligible flags and 3 ranks"),
    ],
)
def test_what_cannot_be_compared_is_one_line(vectors: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, InputError), match=re.escape(message)):
        deduplicate_vectors(vectors, **{"threshold": 0.9, **options})
