"""Words and shingles against a slow version over unicodedata."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import ShingleConfig, shingle
from dq.errors import InputError
from tests.dedup import oracle

TEXT = st.text(
    st.one_of(st.sampled_from("abcXYZ019 .,-\n\t\0'é́ßİKªⅣ中文ไทย\U0001d400ȺⱥÀ"), st.characters(codec="utf-8"))
)


def sizes(texts: list[str], config: ShingleConfig) -> list[int]:
    return [int(size) for size in np.diff(shingle(texts, config).offsets)]


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT.map(lambda text: text * 3), max_size=6), st.integers(1, 6))
def test_shingles_are_the_set_of_word_ngrams_of_any_unicode_text(texts: list[str], ngram: int) -> None:
    found = shingle(texts, ShingleConfig(ngram=ngram))
    sets = [oracle.shingles(text, ngram) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(expected) for expected in sets]
    for i in range(len(texts)):
        own = found.of(i)
        assert (np.diff(own.astype(object)) > 0).all()
        for j in range(i):
            assert len(np.intersect1d(own, found.of(j))) == len(sets[i] & sets[j])


@settings(max_examples=100, deadline=None)
@given(TEXT, st.integers(1, 4))
def test_character_shingles_are_ngrams_of_kept_characters_with_one_space_between_words(text: str, ngram: int) -> None:
    line = " ".join(oracle.words(text))
    expected = {line[i : i + ngram] for i in range(len(line) - ngram + 1)} or ({line} if line else set())
    assert sizes([text], ShingleConfig(unit="characters", ngram=ngram)) == [len(expected)]


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


def test_case_spacing_and_punctuation_do_not_matter_but_accents_do() -> None:
    plain = shingle(["Un noir cafe, s'il vous"]).hashes
    loud = shingle(["Un «NOIR» CAFE s il-\nVOUS!"]).hashes
    accented = shingle(["Un noir café s il vous"]).hashes
    assert plain.tolist() == loud.tolist()
    assert not set(plain) & set(accented)


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
    assert shingle(batch).hashes.tolist() == shingle(["one two three"]).hashes.tolist()


def test_one_string_is_refused_as_a_list_of_texts() -> None:
    with pytest.raises(InputError, match="wrap it in a list"):
        shingle("one text")


def test_many_repeats_of_a_few_words_are_sorted_in_linear_time() -> None:
    text = "a b c d e f " * 200_000
    assert sizes([text], ShingleConfig()) == [6]
