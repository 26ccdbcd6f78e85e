"""Items of benchmarks in texts: what plain Python finds by trying every place, and nothing else."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup.config import ShingleConfig
from dq.dedup.contamination import ContaminationConfig, Items
from dq.dedup.plain import units
from tests.jobs.texts import prose, vocabulary

FOLDED = ShingleConfig(normalization="folded")
WORDS = ["a", "bee", "C++", "Dé", "e."]


def runs(words: list[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


def brute_force(items: list[str], texts: list[str], config: ContaminationConfig) -> dict[tuple[int, int], int]:
    """How many n-grams of which item stand in which text."""
    found = {}
    for number, item in enumerate(items):
        words = units(item, FOLDED)
        n = min(config.ngram, len(words))
        if n < config.min_words or not item.strip(" ."):
            continue
        grams = runs(words, n)
        for row, text in enumerate(texts):
            common = len(grams & runs(units(text, FOLDED), n))
            if common and common >= config.min_coverage * len(grams):
                found[row, number] = common
    return found


def in_python(found: pl.DataFrame) -> dict[tuple[int, int], int]:
    return {(document, item): ngrams for document, item, ngrams in found.iter_rows()}


sentences = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(sentences, max_size=6),
    st.lists(sentences, max_size=8),
    st.integers(2, 6),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_matches_are_those_of_brute_force(items: list[str], texts: list[str], ngram: int, least: float) -> None:
    config = ContaminationConfig(ngram=ngram, min_words=min(2, ngram), min_coverage=least)
    there = Items(items, config).look_in(texts)
    assert in_python(there.matches) == brute_force(items, texts, config)
    grams = {
        (item, gram)
        for row, item in brute_force(items, texts, config)
        for n in [min(ngram, len(units(items[item], FOLDED)))]
        for gram in runs(units(items[item], FOLDED), n) & runs(units(texts[row], FOLDED), n)
    }
    assert len(there.found) == len(grams)


def test_every_planted_item_is_found_and_nothing_else() -> None:
    rng, words = random.Random(1), vocabulary(1)
    items = [prose(rng, words, rng.randint(8, 60)) for _ in range(120)]
    hosts = [prose(rng, words, rng.randint(50, 3000)) for _ in range(240)]
    planted = dict(zip(rng.sample(range(240), 120), range(120), strict=True))
    texts = []
    for row, host in enumerate(hosts):
        at = rng.randrange(len(host.split(" ")))
        inside = items[planted[row]].upper().replace(" ", "\n  ") if row in planted else ""
        texts.append(" ".join([*host.split(" ")[:at], f'"{inside}"', *host.split(" ")[at:]]))
    there = Items(items, ContaminationConfig()).look_in(texts)
    assert dict(there.matches.select("document", "item").iter_rows()) == planted


def test_items_shorter_than_n_are_looked_for_whole_and_very_short_ones_not_at_all() -> None:
    items = ["one two three four five six seven eight", "one two three four five six seven", "", "...", " a " * 20]
    index = Items(items, ContaminationConfig())
    assert index.lengths.tolist() == [8, 0, 0, 0, 13]
    assert index.ngrams.tolist() == [1, 0, 0, 0, 1]
    texts = ["zero one two three four five six seven eight nine", "one two three four five six seven nine", "..."]
    assert in_python(index.look_in(texts).matches) == {(0, 0): 1}


def test_what_texts_hold_together_is_more_than_what_each_holds() -> None:
    words = [f"w{n}" for n in range(26)]
    index = Items([" ".join(words)], ContaminationConfig())
    parts = [index.look_in([" ".join(words[:15])]), index.look_in([" ".join(words[12:])])]
    assert [one.matches["ngrams"].to_list() for one in parts] == [[3], [2]]
    assert index.covered([one.found for one in parts]).tolist() == [5 / 14]
    assert index.covered([]).tolist() == [0]
    assert Items([" ".join(words[:5])], ContaminationConfig(ngram=5)).lengths.tolist() == [5]
    assert Items([" ".join(words[:4])], ContaminationConfig(ngram=5)).lengths.tolist() == [0]
