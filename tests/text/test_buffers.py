"""Every form of texts gives the same bytes and offsets; what is not text is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import InputError
from dq.text.buffers import TextBatch, text_batch
from dq.text.hashing import content_keys


def texts_of(batch: TextBatch) -> list[str]:
    """The texts of a batch; checks what kernels rely on."""
    assert batch.data.dtype == np.uint8
    assert batch.offsets.dtype == np.int64
    assert len(batch.offsets) == len(batch) + 1
    assert (np.diff(batch.offsets) >= 0).all()
    assert batch.offsets[-1] <= len(batch.data)
    return [bytes(batch.data[begin:end]).decode() for begin, end in zip(batch.offsets, batch.offsets[1:], strict=False)]


def forms(texts: list[str]) -> dict[str, Any]:
    string, large = pa.array(texts, pa.string()), pa.array(texts, pa.large_string())
    around = ["before é", *texts, "after"]
    chunks = [string[i : i + 2] for i in range(0, len(texts), 2)]
    return {
        "list": texts,
        "tuple": tuple(texts),
        "series": pl.Series(texts, dtype=pl.String),
        "series slice": pl.Series(around, dtype=pl.String)[1:-1],
        "string": string,
        "large_string": large,
        "string_view": string.cast(pa.string_view()),
        "string slice": pa.array(around, pa.string())[1:-1],
        "large slice": pa.array(around, pa.large_string())[1:-1],
        "view slice": pa.array(around, pa.string()).cast(pa.string_view())[1:-1],
        "chunked": pa.chunked_array(chunks, pa.string()),
        "chunked of one": pa.chunked_array([large]),
        "chunked slice": pa.chunked_array([["before"], around[1:]], pa.string())[1 : 1 + len(texts)],
        "numpy": np.array(texts, object),
        "table column": pa.table({"text": string})["text"],
        "batch": text_batch(texts),
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=6))
def test_every_form_of_the_same_texts_is_the_same_batch(texts: list[str]) -> None:
    keys = content_keys(texts).tolist()
    for name, form in forms(texts).items():
        assert texts_of(text_batch(form)) == texts, name
        assert content_keys(form).tolist() == keys, name


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["", "a", ""], ["\x00"]])
def test_no_texts_and_empty_texts_are_valid_in_every_form(texts: list[str]) -> None:
    for name, form in forms(texts).items():
        assert texts_of(text_batch(form)) == texts, name


def test_a_missing_text_is_an_empty_one_in_every_form() -> None:
    values = ["a", None, "é", None]
    expected = ["a", "", "é", ""]
    array = pa.array(values)
    hidden = pa.Array.from_buffers(  # a null whose place in the buffer holds bytes
        pa.string(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([0, 1, 4], np.int32)), pa.py_buffer(b"axyz")]
    )
    assert texts_of(text_batch(hidden)) == ["a", ""]
    everything = [values, pl.Series(values), array, array.cast(pa.large_string()), array.cast(pa.string_view())]
    for form in [*everything, pa.chunked_array([values[:1], values[1:]])]:
        assert texts_of(text_batch(form)) == expected
    assert texts_of(text_batch(array[1:3])) == ["", "é"]
    for nothing in (
        [None, None],
        pa.nulls(2),
        pa.nulls(2, pa.string()),
        pl.Series([None, None]),
        pa.chunked_array([pa.nulls(2)]),
    ):
        assert texts_of(text_batch(nothing)) == ["", ""]


def test_arrow_strings_are_viewed_and_not_copied() -> None:
    array = pa.array(["abc", "de"] * 1000, pa.large_string())
    batch = text_batch(array[10:])
    assert batch.data.ctypes.data == array.buffers()[2].address
    assert batch.offsets[0] == 25


def test_lone_surrogates_become_the_replacement_character_and_pairs_their_character() -> None:
    texts = ["fine", "a\ud800b", "\udfff\udfff", "\ud83d\ude00", "\ude00\ud83d"]
    assert texts_of(text_batch(texts)) == ["fine", "a\ufffdb", "\ufffd\ufffd", "😀", "\ufffd\ufffd"]
    assert texts_of(text_batch(["\ud800", None])) == ["\ufffd", ""]


@pytest.mark.parametrize(
    "texts",
    [
        "one string",
        [1, 2],
        ["a", 1],
        ["\ud800", 1],
        ["a", ["b"]],
        ["a", b"b"],
        [2**70],
        [b"\xff"],
        3,
        None,
        pl.Series([1, 2]),
        pl.Series([["a"]]),
        pa.array([1]),
        pa.array([b"a"]),
        pa.chunked_array([[1.5]]),
        pa.array([1]).dictionary_encode(),
        np.arange(3),
    ],
)
def test_what_is_not_texts_is_refused_on_one_line(texts: Any) -> None:
    with pytest.raises(InputError, match=r"^texts must be ") as caught:
        text_batch(texts)
    assert str(caught.value).isprintable()


def test_a_pandas_series_is_taken_and_what_is_missing_in_it_is_an_empty_text() -> None:
    pandas = pytest.importorskip("pandas")
    for series in (pandas.Series(["a b", None]), pandas.Series(["a b", np.nan], dtype=object)):
        assert texts_of(text_batch(series)) == ["a b", ""]
