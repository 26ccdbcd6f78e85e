"""The inverted index against brute force."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import shingle
from dq.dedup.inverted import InvertedIndex
from tests.dedup import oracle


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.booleans())
def test_an_inverted_index_finds_exactly_the_brute_force_neighbours(
    seed: int, threshold: float, containment: bool
) -> None:
    texts = oracle.corpus(seed, families=5, copies=4, length=60)
    indexed, others = texts[:12], texts
    found = InvertedIndex(shingle(indexed)).neighbours(shingle(others), threshold, containment=containment)
    left, right = [oracle.shingles(text) for text in others], [oracle.shingles(text) for text in indexed]
    expected = []
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            common = len(one & other)
            whole = len(other) if containment else len(one | other)
            if common and common >= threshold * whole - 1e-9:
                expected.append((i, j, common, len(one | other)))
    assert found.rows() == expected
