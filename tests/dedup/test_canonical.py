"""Canonical text against `unicodedata`, and what it says of two texts."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.arrays import read_only
from dq.dedup import deduplicate, plain
from dq.dedup.kernels.canonical import PADDING, canonicalise
from dq.dedup.normalization import canonical_tables
from dq.dedup.signatures import sign
from tests.dedup.test_shingles import TEXT


def canonical(text: str) -> str:
    """The canonical text as the kernel makes it."""
    raw = np.frombuffer(f"x{text}y".encode("utf-8", "replace"), np.uint8)
    out = np.empty(3 * len(raw) + PADDING, np.uint8)
    length = canonicalise(read_only(raw), 1, len(raw) - 1, out, canonical_tables())
    assert (out[length : length + 128] == 0x20).all()
    return out[:length].tobytes().decode()


@settings(max_examples=400, deadline=None)
@given(TEXT.map(lambda text: text * 3))
def test_canonical_text_is_that_of_plain_python_and_the_same_of_all_equivalent_texts(text: str) -> None:
    found = canonical(text)
    assert found == plain.canonical(text)
    assert canonical(found) == found
    for form in ("NFC", "NFD"):
        assert canonical(unicodedata.normalize(form, text)) == found


def test_every_code_point_alone_and_under_a_mark_is_as_unicodedata_has_it() -> None:
    assigned = [chr(code) for code in range(0x20, 0x30000) if not 0xD800 <= code < 0xE000]
    for mark in ("", "\u0301", "\u0323\u0301", "\u3099"):
        text = "|".join(f"a{char}{mark}" for char in assigned if char not in "|\u200c\u200d")
        assert canonical(text) == plain.canonical(text)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("a\r\n\r\n  b\t", "a b"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\ufeffzero\u200b width", "zero width"),
        ("a\u200db", "ab"),
        ("\u4e2d\u200c\u6587", "\u4e2d\u6587"),
    ],
)
def test_texts_that_nobody_can_tell_apart_are_exact_copies(left: str, right: str) -> None:
    assert deduplicate([left, right])["exact"].sum() == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Cat sat", "cat sat"),
        ("so it is", "so it is."),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\U0001f4bb"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u0937"),
    ],
)
def test_texts_that_look_different_are_not(left: str, right: str) -> None:
    assert deduplicate([left, right])["exact"].sum() == 0


@pytest.mark.parametrize(
    "text",
    ["🎉", "-----", "[]", "...", "x", "\u0301", "\u200b", "\u200b \u200d", "\ufeff", "\x00\x01", "\x7f", "中", "'"],
)
def test_copies_of_whatever_is_not_white_space_go(text: str) -> None:
    found = deduplicate([text, "something else", text, text])
    assert found["kept_index"].to_list() == [0, 1, 0, 0]
    assert found["exact"].to_list() == [False, False, True, True]


@given(st.text(min_size=1, max_size=6), st.sampled_from(["meaning", "folded", "written", "words"]))
@settings(max_examples=150, deadline=None)
def test_equal_texts_always_go_and_texts_that_are_called_exact_are_equal(text: str, normalization: str) -> None:
    found = deduplicate([text, text, text + "\u0301"], normalization=normalization)
    empty = plain.canonical(text) == ""
    assert found["exact"].to_list()[:2] == [False, not empty]
    assert found["exact"][2] == (plain.canonical(text + "\u0301") == plain.canonical(text) and not empty)


@pytest.mark.parametrize("text", ["", " ", "\n", "\u00a0\u3000"])
def test_texts_of_white_space_alone_all_stay(text: str) -> None:
    assert deduplicate([text, text, " " + text])["kept_index"].to_list() == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ["a" + "\u0301\u0316" * 100_000, "\u1100\u1161\u11a8" * 60_000, "\u0344" * 100_000, "'" * 200_000 + " a"]
)
def test_hostile_marks_take_linear_time(text: str) -> None:
    sign([text[:100]])
    started = time.perf_counter()
    sign([text])
    assert time.perf_counter() - started < 5
