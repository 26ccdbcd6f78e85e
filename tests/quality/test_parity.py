"""Verdicts and values against datatrove itself, where it is installed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from dq.quality import C4Lines, judge_texts, presets, score
from dq.quality.signals import SAME_AS_WRITTEN, WRITTEN_SIGNALS

filters = pytest.importorskip("datatrove.pipeline.filters")
data = pytest.importorskip("datatrove.data")
splitter = pytest.importorskip("datatrove.utils.text")
repetition = pytest.importorskip("datatrove.pipeline.filters.gopher_repetition_filter")
pytest.importorskip("spacy")

# spaCy's own dependencies warn at import and on first use.
pytestmark = pytest.mark.filterwarnings("ignore")

SENTENCES = (
    "The committee met on Tuesday to discuss the budget, and nobody was surprised.",
    "It isn't clear (yet) whether they'll agree... or not!",
    "Click here to read our privacy policy and terms of use.",
    "- first item of the list",
    "• second item",
    "Lorem ipsum dolor sit amet consectetur.",
    "Visit https://example.org/page?x=1 or write to jane@example.org for the $5.20 offer.",
    "function f(x) { return x; }",
    "Please enable JavaScript to continue",
    "ALL CAPS HEADING",
    "That have been with the of to and be",
    "Read more…",
    "He said: “we cannot go there”. [1] She left in 1999.[citation needed]",
    "1 2 3 4 5 6 7 8 9 10",
    "###",
)


def documents(n: int) -> list[str]:
    rng = random.Random(7)
    made = []
    for _ in range(n):
        pool = rng.sample(SENTENCES, rng.randint(1, len(SENTENCES)))
        joined = (rng.choice(pool) + rng.choice([" ", " ", " ", "\n", "\n\n"]) for _ in range(rng.randint(1, 40)))
        made.append("".join(joined))
    return made


def score_as_written(texts: list[str], words: list[list[str]]) -> pl.DataFrame:
    """Every signal as datatrove sees the texts, by its own words."""
    return score(texts, [*WRITTEN_SIGNALS, *SAME_AS_WRITTEN], words=words)


def all_filters() -> dict[str, Any]:
    return {
        "gopher_quality": filters.GopherQualityFilter(),
        "gopher_repetition": filters.GopherRepetitionFilter(),
        "c4": filters.C4QualityFilter(),
        "c4_no_terminal_punct": filters.C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb_quality": filters.FineWebQualityFilter(),
    }


def keeps(one: Any, text: str) -> bool:
    verdict = one.filter(data.Document(text=text, id="0"))
    return verdict is True


def test_strict_verdicts_equal_datatroves_on_made_up_text() -> None:
    texts = documents(150)
    for name, one in all_filters().items():
        ours = judge_texts(texts, presets.preset(name), strict=True)["keep"].to_list()
        theirs = [keeps(one, text) for text in texts]
        assert 5 < sum(theirs) < len(texts) or name in ("c4", "fineweb_quality"), f"{name}: the texts test little"
        assert ours == theirs, name


def test_given_datatroves_words_every_ngram_and_word_signal_equals_its_numbers() -> None:
    texts = documents(100)
    words = [splitter.split_into_words(text) for text in texts]
    table = score_as_written(texts, words)
    for row, text in enumerate(texts):
        found, mine = table.row(row, named=True), words[row]
        for n in (2, 3, 4):
            grams = repetition.get_n_grams(mine, n)
            wanted = repetition.find_top_duplicate(grams) / len(text) if grams else None
            assert found[f"top_{n}_gram_char_fraction_as_written"] == pytest.approx(wanted)
        for n in range(5, 11):
            wanted = repetition.find_all_duplicate(mine, n) / len(text)
            assert found[f"duplicate_{n}_gram_char_fraction_as_written"] == pytest.approx(wanted)
        real = [word for word in mine if any(char not in splitter.PUNCTUATION_SET for char in word)]
        assert found["word_count_as_written"] == len(real)
        assert found["word_and_mark_count_as_written"] == len(mine)
        assert found["newline_to_word_ratio_as_written"] == pytest.approx(text.count("\n") / len(mine))


def test_given_datatroves_words_its_own_verdicts_follow() -> None:
    texts = documents(100)
    scores = score_as_written(texts, [splitter.split_into_words(text) for text in texts])
    for name in ("gopher_quality", "gopher_repetition", "fineweb_quality"):
        one = all_filters()[name]
        assert presets.preset(name).judge(scores, strict=True)["keep"].to_list() == [keeps(one, t) for t in texts]


def test_c4_leaves_the_text_that_datatrove_leaves() -> None:
    for terminal in (True, False):
        one = filters.C4QualityFilter(filter_no_terminal_punct=terminal)
        cleaner = C4Lines(terminal_marks=terminal)
        for text in documents(100):
            document = data.Document(text=text, id="0")
            if one.filter(document) is True:
                assert cleaner.clean([text]).texts.to_pylist() == [document.text]


@pytest.mark.needs_shared
def test_strict_verdicts_equal_datatroves_on_real_text(shared: Path) -> None:
    path = shared / "data" / "mixed_small.jsonl.zst"
    table = pl.read_ndjson(pa.input_stream(str(path), compression="zstd").read())
    texts = [text[:4_000] for text in table.sample(120, seed=3)["text"]]
    for name, one in all_filters().items():
        ours = judge_texts(texts, presets.preset(name), strict=True)["keep"].to_list()
        agreed = sum(a == keeps(one, text) for a, text in zip(ours, texts, strict=True))
        assert agreed >= 0.99 * len(texts), name
