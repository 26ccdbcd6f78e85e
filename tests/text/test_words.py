"""Words are spaCy's words: against recorded ones, against spaCy itself where it is installed, and by properties."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.arrays import read_only
from dq.errors import ConfigError
from dq.text import Splitter, split_words, text_batch, text_tables
from dq.text.english import merges, special_cases, units
from dq.text.kernels.blocks import LETTER, SPACE, UPPER
from dq.text.kernels.scan import MASKS, scan_batch

# Lines written for this test and their words by spaCy 3.8.18, spacy.blank("en").
RECORDED = json.loads((Path(__file__).parent / "data" / "spacy_words.json").read_text("utf-8"))


@pytest.mark.parametrize(("text", "words"), RECORDED)
def test_words_are_those_that_spacy_gave(text: str, words: list[str]) -> None:
    assert split_words([text]) == [words]


def test_white_space_words_are_those_of_str_split() -> None:
    texts = [text for text, _ in RECORDED] + ["a\u00a0b\u2003c\x1cd\u200be \t\n"]
    assert split_words(texts, words="whitespace") == [text.split() for text in texts]
    with pytest.raises(ConfigError, match="use `unicode`, `whitespace` or `dictionary`"):
        split_words(texts, words="words")  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=150), max_size=4))
def test_words_lie_in_order_and_cover_all_but_white_space(texts: list[str]) -> None:
    batch, splitter = text_batch(texts), Splitter()
    n_words = splitter.split(batch, (0, len(batch)))
    assert splitter.words.bounds[0] == 0
    assert splitter.words.bounds[len(texts)] == n_words
    for row, found in enumerate(split_words(batch)):
        text = bytes(batch.data[batch.offsets[row] : batch.offsets[row + 1]]).decode()
        assert "".join(found) == "".join(text.split())
        assert all(word and not word.isspace() for word in found)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_masks_are_the_properties_of_the_characters(text: str) -> None:
    batch = text_batch([text])
    masks = np.empty((MASKS, len(batch.data) // 64 + 2), np.uint64)
    scan_batch(read_only(batch.data), 0, int(batch.offsets[1]), text_tables().scan, masks)
    clean = bytes(batch.data[: batch.offsets[1]]).decode()
    space = [char.isspace() for char in clean for _ in char.encode()]
    assert [bit_of(masks[SPACE], at) for at in range(len(space))] == space
    ascii_letter = [char.isascii() and char.isalpha() for char in clean for _ in char.encode()]
    assert [bit_of(masks[LETTER], at) for at in range(len(space))] == ascii_letter
    lead_upper = [char.isupper() or char.istitle() for char in clean]
    starts = np.cumsum([0, *(len(char.encode()) for char in clean)])[:-1]
    letters = [char.isalpha() for char in clean]
    found = [bit_of(masks[UPPER], int(at)) for at in starts]
    assert [f for f, letter in zip(found, letters, strict=True) if letter] == [
        upper for upper, letter in zip(lead_upper, letters, strict=True) if letter
    ]


def bit_of(row: np.ndarray, at: int) -> bool:
    return bool(int(row[at // 64]) >> at % 64 & 1)


def test_every_special_case_is_split_into_its_pieces() -> None:
    # "—" and "''" are pieces of themselves; a case inside brackets is found as well.
    for text, pieces in special_cases().items():
        assert split_words([text]) == [list(pieces)], text
        if text.isalpha():
            assert split_words([f"({text}),"]) == [["(", *pieces, ")", ","]]


def test_units_are_cut_off_after_digits_only() -> None:
    for unit in units():
        assert split_words([f"5{unit}"]) == [["5", unit]]
    assert split_words(["xkm 5xkm"]) == [["xkm", "5xkm"]]


def test_the_special_cases_and_roles_are_those_of_spacy() -> None:
    spacy = pytest.importorskip("spacy")
    tokenizer = spacy.blank("en").tokenizer
    rules = {key: tuple(part[65] for part in parts) for key, parts in tokenizer.rules.items() if key.strip()}
    assert special_cases() == rules
    for text in rules:
        found = tokenizer.find_prefix(text) or tokenizer.find_infix(text) or tokenizer.find_suffix(text)
        assert merges(text) == bool(found), text


def test_random_chunks_are_split_as_spacy_splits_them_but_for_overlapping_smileys() -> None:
    spacy = pytest.importorskip("spacy")
    tokenizer = spacy.blank("en").tokenizer
    rng = random.Random(5)
    single = list("abzABZ019.,:;!?'’\"()[]{}<>/\\-–—_*&#@%$€£+=~^|…°µ²éÉжЖ中あ🙂•")
    parts = [*single, *single, "..", "US$", "km", "http://", "www.", ".com", "'s", "n't", " ", *special_cases()]
    texts = ["".join(rng.choices(parts, k=rng.choice([1, 2, 3, 4, 6, 9]))) for _ in range(3_000)]
    same = 0
    for text, words in zip(texts, split_words(texts), strict=True):
        same += words == [token.text.strip() for token in tokenizer(text) if token.text.strip()]
    assert same >= 0.995 * len(texts)


def test_a_long_chunk_of_marks_takes_linear_time() -> None:
    split_words(["compile first"])
    for piece in ("(", "a.", "@", "-", ":)", "_", "1,", "http://"):
        text = piece * (200_000 // len(piece))
        start = time.process_time()
        assert "".join(split_words([text])[0]) == text
        assert time.process_time() - start < 2, piece
