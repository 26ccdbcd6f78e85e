"""Words and shingles against a slow version over unicodedata."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import ShingleConfig, plain, shingle
from dq.errors import InputError
from tests.dedup import oracle

ALPHABET = (
    "abcXYZ019 .,-\n\t\0'(\"=+/;é\u0301\u0323ßİ\u212aªⅣ中文。、กิ่ก็ไทยक़ऩ\u09c7\u09be한\u1100\u1161\u11a8"
    "\u0344\u0958\u0f40\u0f71\u0f72"
    "\U0001d400\U0001d160ȺⱥÀ«”’—…Ａ１，\u00a0\u3000\u200b\u200c\u200d\u00ad👩🏽❤\ufe0f\u0628\u064e\u0651"
)
TEXT = st.text(st.one_of(st.sampled_from(ALPHABET), st.characters(codec="utf-8")))


def sizes(texts: list[str], config: ShingleConfig) -> list[int]:
    return [int(size) for size in np.diff(shingle(texts, config).offsets)]


CONFIGS = st.builds(
    ShingleConfig,
    normalization=st.sampled_from(["meaning", "folded", "written", "words"]),
    unit=st.sampled_from(["words", "characters"]),
    ngram=st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT.map(lambda text: text * 3), max_size=6), CONFIGS)
def test_shingles_are_those_of_plain_python_for_any_text_and_normalization(
    texts: list[str], config: ShingleConfig
) -> None:
    found = shingle(texts, config)
    sets = [plain.shingles(text, config) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(expected) for expected in sets]
    for i in range(len(texts)):
        own = found.of(i)
        assert (np.diff(own.astype(object)) > 0).all()
        for j in range(i):
            assert len(np.intersect1d(own, found.of(j))) == len(sets[i] & sets[j])


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 5000])
def test_words_of_any_length_differ_when_their_last_letter_does(size: int) -> None:
    left, right = "x" * (size - 1) + "a", "x" * (size - 1) + "b"
    for lead in ("", "y " * 31, "y" * 63 + " "):
        one, other, same = (
            shingle([lead + text], ShingleConfig(ngram=64)).hashes for text in (left, right, left + "!")
        )
        assert one[0] != other[0]
        assert one[0] == same[0]


@pytest.mark.parametrize("words", [1, 4, 5, 6, 1983, 1984, 2047, 2048, 2049, 2053, 10_000])
def test_a_text_longer_than_the_word_buffer_loses_and_repeats_nothing(words: int) -> None:
    text = " ".join(f"w{number}" for number in range(words))
    assert sizes([text], ShingleConfig()) == [max(1, words - 4)]
    doubled = shingle([text + "  . " + text], ShingleConfig())
    assert len(doubled.hashes) == len(oracle.shingles(text + " " + text))


def alike(left: str, right: str, **about: Any) -> bool:
    """Whether two texts have equal shingles."""
    found = shingle([left, right], ShingleConfig(**about))
    return bool(found.of(0).tolist() == found.of(1).tolist())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Un noir, CAFE: «vous»!", "un noir cafe vous"),
        ("don’t – never", "DON'T - never"),
        ("a sentence, like this", "a sentence like this"),
        ("CAT!", "cat"),
        ("ｗｉｄｅ， letters", "wide letters"),
        ("'.5'", ".5"),
        ("中 文。", "中文"),
    ],
)
def test_what_prose_sets_aside(left: str, right: str) -> None:
    assert alike(left, right)
    assert alike(left, right, normalization="folded")
    assert not alike(left, right, normalization="written")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("if a > b", "if a < b"),
        ("12 + 7", "12 - 7"),
        ("-5 degrees", "5 degrees"),
        ("C++", "C"),
        ("C++", "C#"),
        ("1.5", "15"),
        ("1.5", "1,5"),
        (".5", "5"),
        ("5 %", "5 $"),
        ("don't", "dont"),
        ("the 🎉", "the 🎈"),
        ("5′", "5″"),
        ("café", "cafe"),
        ("🎉", "🎈"),
        ("...", "!!!"),
        ("می\u200cخواهم", "میخواهم"),
    ],
)
def test_what_always_counts(left: str, right: str) -> None:
    assert not alike(left, right)
    assert not alike(left, right, normalization="folded")


def test_case_and_punctuation_count_in_what_looks_like_code_from_one_visible_character_in_sixteen_on() -> None:
    text, capital = "value = 12345678", "VALUE = 12345678"  # 14 visible characters and one of code
    assert not alike(text, capital)
    assert not alike(f"{text}12", f"{capital}12")  # 16
    assert alike(f"{text}123", f"{capital}123")  # 17
    assert alike(text, capital, normalization="folded")


def test_letters_of_scripts_without_spaces_are_units_with_their_marks_and_other_words_are_words() -> None:
    assert plain.units("Python语言 กิน ไทย", ShingleConfig()) == ["python", "语", "言", "กิ", "น", "ไ", "ท", "ย"]
    assert sizes(["Python语言 กิน ไทย"], ShingleConfig(ngram=1)) == [8]
    assert sizes(["Python语言 กิน ไทย"], ShingleConfig(ngram=1, normalization="words")) == [3]


def test_a_permuted_batch_gives_permuted_shingles_and_a_slice_of_an_arrow_array_the_same() -> None:
    texts = oracle.corpus(1, families=4)
    order = np.random.default_rng(0).permutation(len(texts))
    whole, permuted = shingle(texts), shingle(pl.Series([texts[i] for i in order]))
    sliced = shingle(pa.array(["before", *texts, "after"]).slice(1, len(texts)))
    for place, i in enumerate(order):
        assert whole.of(int(i)).tolist() == permuted.of(place).tolist()
    assert whole.hashes.tolist() == sliced.hashes.tolist()


def test_chosen_documents_are_shingled_as_in_the_whole_batch() -> None:
    texts = oracle.corpus(2, families=4)
    whole, some = shingle(texts), shingle(texts, documents=np.array([5, 0, 7]))
    assert [some.of(i).tolist() for i in range(3)] == [whole.of(i).tolist() for i in (5, 0, 7)]


def test_broken_utf8_and_nul_bytes_separate_words_and_harm_nothing() -> None:
    from dq.text import TextBatch  # noqa: PLC0415

    raw = b"one \xff two\x00three \xe2\x82"
    batch = TextBatch(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    words = ShingleConfig(normalization="words")
    assert shingle(batch, words).hashes.tolist() == shingle(["one two three"], words).hashes.tolist()
    assert len(shingle(batch, ShingleConfig(ngram=1)).hashes) == 4


def test_one_string_is_refused_as_a_list_of_texts() -> None:
    with pytest.raises(InputError, match="wrap it in a list"):
        shingle("one text")


def test_many_repeats_of_a_few_words_are_sorted_in_linear_time() -> None:
    text = "a b c d e f " * 200_000
    assert sizes([text], ShingleConfig()) == [6]
