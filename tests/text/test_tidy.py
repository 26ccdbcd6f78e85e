"""Texts as signals see them: every way to write a line end, a blank or an accent gives the same text."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dq.text import arrow_array, text_batch, tidied

from ..quality.oracle import tidy

PIECES = [*"aé漢🙂“—. \t\n\r\x0b\x1c\x1f\x85", "word", "  ", "\n\n", "\r\n"]
SPECIAL = [
    "e\u0301",
    "\u0323\u0301",
    "\u1112\u1161\u11ab",
    *"\u2000\u212b\u2028\u2029\u00a0\u3000\u1680\u202f\u205f\u00ad\u200b\ufeff\u200d",
]
texts = st.lists(st.sampled_from([*PIECES, *SPECIAL, "x" * 61]), max_size=60).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=4))
@example(["a\r\u00ad\nb", "a\r\u200b\ufeff\n\nb", "a\r\u00ad", "a\r\u00adb\r\u00a0\n"])
def test_texts_are_tidied_as_plain_python_does(batch: list[str]) -> None:
    assert arrow_array(tidied(text_batch(batch))).to_pylist() == [tidy(text) for text in batch]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0c", "\x85", "\u2028", " \n", "\t\r\n", "\u00a0\n", "\u200b\n"])
def test_every_line_end_is_one_newline(end: str) -> None:
    assert arrow_array(tidied(text_batch([f"one{end}two{end}{end}three{end}"]))).to_pylist() == ["one\ntwo\n\nthree"]
