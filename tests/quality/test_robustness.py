"""Nothing a corpus holds breaks the signals: empty, huge, broken, strange or very many texts."""

from __future__ import annotations

import time

import polars as pl
import pytest

from dq.quality import judge_texts, presets, score

from .fetched import usable_presets

STRANGE = {
    "empty": "",
    "white space": " \n\t\u2003\u2028 ",
    "only punctuation": "?!... ,,, --- !!!",
    "one character": "x",
    "one character of four bytes": "🙂",
    "NUL bytes": "a\x00b \x00\x00 c\x00",
    "right to left": "שלום עולם. \u202eمرحبا بالعالم\u202c!",
    "combining marks": "e\u0301\u0302\u0303" * 50,
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈",
    "no spaces": "漢字" * 500,
    "private use and unassigned": "\ue000\U0010fffd\u0378",
    "byte order mark": "\ufeffHello there",
    "only newlines": "\n" * 100,
    "carriage returns": "one line\r\nanother line\rthird line\n",
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_is_scored_and_judged_by_every_preset(name: str) -> None:
    scores = score([STRANGE[name]] * 2)
    assert scores[0].equals(scores[1])
    assert score([STRANGE[name]], ["char_count_as_written"]).item() == len(STRANGE[name])
    for preset in usable_presets().values():
        verdict = judge_texts([STRANGE[name]], preset)
        assert verdict["keep"][0] == (verdict["reasons"][0].len() == 0)


def test_strange_texts_do_not_disturb_their_neighbours() -> None:
    together = score(list(STRANGE.values()))
    assert together.equals(pl.concat([score([text]) for text in STRANGE.values()]))


def test_a_text_without_words_fails_by_its_word_count_and_not_by_undefined_signals() -> None:
    reasons = presets.gopher_quality().judge(score([STRANGE["only punctuation"]]))["reasons"][0].to_list()
    assert "too_few_words" in reasons
    assert "words_too_short" not in reasons


@pytest.mark.parametrize("piece", ["a few ordinary words, with marks; ", "((", "ab-", "é", "1.2.3.", "word\n", "[1] "])
def test_a_document_of_megabytes_costs_no_more_per_byte_than_small_ones(piece: str) -> None:
    large = pl.Series([piece * (4_000_000 // len(piece.encode()))])
    small = pl.Series([piece * (40_000 // len(piece.encode()))] * 100)
    score(small[:1])
    start = time.process_time()
    score(large)
    middle = time.process_time()
    score(small)
    end = time.process_time()
    # Measured near 1; the bound leaves room for caches and a busy machine, and quadratic work would take 100 times.
    assert middle - start < 8 * (end - middle) + 0.5


def test_very_many_short_documents_cost_little_each() -> None:
    texts = pl.Series(["a short text", "", "x"] * 100_000)
    score(texts[:3])
    start = time.process_time()
    assert score(texts).height == 300_000
    assert time.process_time() - start < 20
