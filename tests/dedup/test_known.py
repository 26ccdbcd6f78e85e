"""Shingles that others have too, in one reading for several lengths, against all shingles of each length."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup.known import folded_words, known_shingles, marks_of
from dq.dedup.shingles import shingle
from dq.text import text_batch

TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(["aA", "b,", "c", "d-", "é", "語", "..."]), max_size=30).map(" ".join),
        st.integers(0, 5000).map(lambda count: " ".join(f"w{n % 2500}" for n in range(count))),  # beyond a chunk
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([[5, 13], [1, 2, 64], [3]]))
def test_all_that_others_have_are_found_and_nothing_that_is_no_shingle(
    others: list[str], texts: list[str], lengths: list[int]
) -> None:
    marks = marks_of([shingle(others, folded_words(n)).hashes for n in lengths])
    for n, known in zip(lengths, known_shingles(text_batch(texts), lengths, marks), strict=True):
        every, wanted = shingle(texts, folded_words(n)), shingle(others, folded_words(n)).hashes
        assert len(known) == len(texts)
        for row in range(len(texts)):
            mine, found = every.of(row), known.of(row)
            assert np.array_equal(found, np.intersect1d(found, mine))
            assert np.isin(mine[np.isin(mine, wanted)], found).all()


def test_a_text_is_all_known_beside_itself_and_hardly_at_all_beside_another() -> None:
    one, other = (" ".join(f"{name}{n}" for n in range(100_000)) for name in "ab")
    marks = marks_of([shingle([one], folded_words(n)).hashes for n in (5, 13)])
    for n, known in zip((5, 13), known_shingles(text_batch([one, other]), [5, 13], marks), strict=True):
        assert np.array_equal(known.of(0), shingle([one], folded_words(n)).hashes)
        assert 0 < len(known.of(1)) < 100_000 / 10
