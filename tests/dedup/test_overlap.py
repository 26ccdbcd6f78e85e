"""Near-duplicates of some entries, against brute force over Python sets of words."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup.overlap import Entries
from tests.dedup.oracle import jaccard, shingles
from tests.jobs.texts import edited, prose, vocabulary

# Few words and short texts: n-grams collide all the time. Texts below 5 and below 13 words are among them.
TEXTS = st.lists(
    st.lists(st.sampled_from(["aA", "b,", "c", "d-", "é"]), max_size=30).map(" ".join), min_size=1, max_size=12
)


def containment(text: str, entry: str) -> float:
    held = shingles(entry, 13)
    return len(held & shingles(text, 13)) / len(held) if held else 0.0


@settings(max_examples=80, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.1, 1 / 3, 0.5, 2 / 3, 1.0]), st.sampled_from([0.1, 0.5, 1.0]))
def test_exclusion_is_what_brute_force_finds(
    entries: list[str], texts: list[str], min_jaccard: float, min_containment: float
) -> None:
    found = Entries(entries).look_in(texts, min_jaccard=min_jaccard, min_containment=min_containment).near
    expected = {}
    for number, text in enumerate(texts):
        near = max(jaccard(shingles(text), shingles(entry)) for entry in entries)
        quoted = max(containment(text, entry) for entry in entries)
        if near >= min_jaccard:
            expected[number] = ("jaccard_5gram", near)
        elif quoted >= min_containment:
            expected[number] = ("containment_13gram", quoted)
    got = {row["document"]: (row["measure"], row["score"]) for row in found.to_dicts()}
    assert got == expected
    assert found["document"].is_sorted()
    for row in found.to_dicts():
        text, entry = texts[row["document"]], entries[row["entry"]]
        score = jaccard(shingles(text), shingles(entry)) if "jaccard" in row["measure"] else containment(text, entry)
        assert score == row["score"]


@pytest.mark.parametrize(("shared", "excluded"), [(9, False), (10, True)])
def test_half_of_the_five_grams_is_enough_and_one_fewer_is_not(shared: int, excluded: bool) -> None:
    # Both have 15 five-grams; sharing the first s words shares s - 4: 10 of 20 is exactly a half, 9 of 21 is not.
    common = [f"c{n}" for n in range(shared + 4)]
    one = [*common, *(f"x{n}" for n in range(15 - shared))]
    other = [*common, *(f"y{n}" for n in range(15 - shared))]
    found = Entries([" ".join(one)]).look_in([" ".join(other)], min_jaccard=0.5, min_containment=1).near
    assert (len(found) == 1) == excluded
    if excluded:
        assert found["score"].item() == 0.5


@pytest.mark.parametrize(("quoted", "excluded"), [(16, False), (17, True)])
def test_half_of_a_documents_thirteen_grams_inside_something_long_is_enough(quoted: int, excluded: bool) -> None:
    # 22 words have 10 thirteen-grams; a quotation of 17 words holds 5 of them, one of 16 holds 4.
    entry = [f"w{n}" for n in range(22)]
    text = [*(f"a{n}" for n in range(300)), *entry[:quoted], *(f"b{n}" for n in range(300))]
    found = Entries([" ".join(entry)]).look_in([" ".join(text)], min_jaccard=0.5, min_containment=0.5).near
    assert (len(found) == 1) == excluded
    if excluded:
        assert found.select("measure", "score").row(0) == ("containment_13gram", 0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 600))
def test_a_copy_with_at_most_four_percent_of_its_words_edited_is_excluded(seed: int, count: int) -> None:
    rng = random.Random(seed)
    words = vocabulary(1)
    entries = [prose(rng, words, count) for _ in range(3)]
    copy = edited(rng, entries[1], int(0.04 * len(entries[1].split(" "))))
    found = Entries(entries).look_in([prose(rng, words, count), copy], min_jaccard=0.5, min_containment=0.5).near
    assert found.filter(document=1)["entry"].to_list() == [1]
    assert np.all(found.filter(document=1)["score"].to_numpy() >= 0.5)


def test_white_space_matches_nothing_and_what_has_no_words_its_equal_alone() -> None:
    found = Entries(["", " ", "...", "one"]).look_in(["", "...", "!"], min_jaccard=0.1, min_containment=0.1).near
    assert found.select("document", "entry").rows() == [(1, 2)]
