"""NFC as `unicodedata` has it, of every code point, wherever it stands."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.arrays import read_only
from dq.text import TextBatch, arrow_array, nfc_tables, text_batch
from dq.text.kernels.nfc import MAY_CHANGE, MOST_BYTES, compose_rows, needs_composing

from ..quality.oracle import composed

MARKS = [
    *"ae\u0301\u0323\u0316\u00e9 x\n漢か\u3099\u1100\u1161\u11a8각\u093c\u0958\u09c7\u09be\U0001d160\u212b\u2000\u200b"
]
texts = st.lists(st.sampled_from([*MARKS, "plain text " * 7]) | st.characters(exclude_categories=["Cs"]), max_size=40)


def nfc(batch: list[str]) -> list[str]:
    """The texts as the kernels compose them, in the midst of a longer batch."""
    given = text_batch([*batch, "x" * 70])
    data, offsets, rows = read_only(given.data), read_only(given.offsets), (0, len(batch))
    out, bounds = np.empty(MOST_BYTES * len(data), np.uint8), np.zeros(len(offsets), np.int64)
    compose_rows(data, offsets, rows, nfc_tables(), out, bounds)
    made = arrow_array(TextBatch(out, bounds[: len(batch) + 1])).to_pylist()
    if not needs_composing(data, offsets, rows, nfc_tables()):
        assert made == batch
    return [str(text) for text in made]


@settings(max_examples=200, deadline=None)
@given(st.lists(texts.map("".join), max_size=3))
def test_texts_are_composed_as_unicodedata_does(batch: list[str]) -> None:
    assert nfc(batch) == [composed(text) for text in batch]


def test_every_code_point_that_may_change_is_looked_at_in_long_texts() -> None:
    """The first bytes of these code points are listed by hand; a later Unicode may have others."""
    kinds = nfc_tables().kinds
    for code in np.flatnonzero(kinds & MAY_CHANGE).tolist():
        text = f"a\u0323{chr(code)}" + "x" * 70
        assert nfc([text]) == [composed(text)], hex(code)


@pytest.mark.parametrize("text", ["a" + "\u0301\u0316" * 100_000, "\u1100\u1161\u11a8" * 60_000, "\u0344" * 100_000])
def test_hostile_marks_take_linear_time(text: str) -> None:
    nfc([text[:100]])
    started = time.perf_counter()
    nfc([text])
    assert time.perf_counter() - started < 5
