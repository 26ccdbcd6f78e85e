"""Content keys against the xxhash library; random draws that depend on what they should and nothing else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.text.hashing import content_keys, mix64, uniform
from dq.text.kernels.xxhash import xxhash64

integers = st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(st.lists(st.text(max_size=100), max_size=8))
def test_content_keys_are_xxh64_of_the_utf_8_bytes(texts: list[str]) -> None:
    keys = content_keys(texts)
    assert keys.dtype == np.uint64
    assert keys.tolist() == [xxhash.xxh64_intdigest(text.encode()) for text in texts]


def test_content_keys_are_right_at_every_length_and_position() -> None:
    texts = [chr(97 + n % 26) * n for n in range(140)] + ["x" * 100_000 + "é"]
    expected = [xxhash.xxh64_intdigest(text.encode()) for text in texts]
    assert content_keys(texts).tolist() == expected
    for first in range(1, 40):
        assert content_keys(pa.array(texts)[first:]).tolist() == expected[first:]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**63 - 1))
def test_xxhash64_equals_the_reference_implementation(data: bytes, seed: int) -> None:
    padded = np.frombuffer(b"x" + data + b"y", np.uint8)
    assert int(xxhash64(padded, 1, 1 + len(data), seed)) % 2**64 == xxhash.xxh64_intdigest(data, seed)


def test_equal_texts_and_only_they_have_equal_keys() -> None:
    texts = [f"document {n % 5000}" for n in range(10_000)]
    keys = content_keys(texts)
    assert len(set(keys.tolist())) == 5000
    assert (keys[:5000] == keys[5000:]).all()


def reference_mix64(*columns: int) -> int:
    """The same hash in plain integers: splitmix64's finaliser after every column."""
    mask, state = 2**64 - 1, 0x243F6A8885A308D3
    for column in columns:
        state = ((state ^ column) + 0x9E3779B185EBCA87) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state


@given(st.lists(integers, min_size=1, max_size=4))
def test_mix64_is_its_definition(columns: list[int]) -> None:
    arrays = [np.array([column], np.uint64) for column in columns]
    assert mix64(*arrays).tolist() == [reference_mix64(*columns)]


@given(integers, integers)
def test_the_order_of_the_columns_matters(left: int, right: int) -> None:
    a, b = np.uint64(left), np.uint64(right)
    assert (int(mix64(a, b)) == int(mix64(b, a))) == (left == right)


def test_columns_of_any_integer_type_broadcast() -> None:
    keys = np.arange(5, dtype=np.uint64)
    hashed = mix64(keys, np.int64(7), 3)
    assert hashed.shape == (5,)
    assert hashed.dtype == np.uint64
    assert hashed.tolist() == [reference_mix64(n, 7, 3) for n in range(5)]
    assert mix64(keys[:, None], np.arange(2)).shape == (5, 2)
    assert mix64(np.array([-1], np.int64)).tolist() == [reference_mix64(2**64 - 1)]
    assert mix64(np.zeros(0, np.uint64), 1).shape == (0,)


@given(st.lists(integers, max_size=20))
def test_uniform_draws_lie_in_zero_to_one(hashes: list[int]) -> None:
    draws = uniform(np.array([*hashes, 0, 2**64 - 1], np.uint64))
    assert draws.dtype == np.float64
    assert ((draws >= 0) & (draws < 1)).all()
    assert draws[-2] == 0.0
    assert draws[-1] == 1 - 2.0**-53
    assert [int(draw * 2**53) for draw in draws[:-2]] == [value >> 11 for value in hashes]


@pytest.mark.parametrize("columns", [(0,), (1,), (0, 5), (5, 0)])
def test_draws_of_neighbouring_numbers_are_spread_evenly_and_independently(columns: tuple[int, ...]) -> None:
    draws = uniform(mix64(np.arange(100_000), *columns))
    assert abs(draws.mean() - 0.5) < 0.005
    counts = np.bincount((draws * 100).astype(int), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 160  # chi-squared with 99 degrees of freedom: p about 1e-4
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.015
    other = uniform(mix64(np.arange(100_000), *columns, 1))
    assert abs(np.corrcoef(draws, other)[0, 1]) < 0.015
