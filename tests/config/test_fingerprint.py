"""Fingerprints: stable across processes, blind to the order of keys, sensitive to everything else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.config import canonical_json, fingerprint
from dq.corpus import InputSpec, ReadConfig

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_a_fingerprint_is_a_known_constant() -> None:
    assert canonical_json({"b": [1, None, 0.5], "a": "é"}) == '{"a":"é","b":[1,null,0.5]}'
    assert fingerprint({"b": 1, "a": [True]}) == "708747538ba81fd60b5aac8c646370de5e24abf70ab1872f67458a5a4f3af05d"


def test_a_fingerprint_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = "from dq.config import fingerprint; print(fingerprint({'x': {'b': 1, 'a': 2}, 'y': ['s', 0.1]}))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert found == {fingerprint({"y": ["s", 0.1], "x": {"a": 2, "b": 1}})}


@settings(max_examples=50, deadline=None)
@given(json_values)
def test_the_order_of_keys_changes_nothing(value: Any) -> None:
    assert fingerprint(value) == fingerprint(reordered(value))


@settings(max_examples=50, deadline=None)
@given(json_values, json_values)
def test_two_values_have_one_fingerprint_only_where_their_json_is_equal(left: Any, right: Any) -> None:
    assert (fingerprint(left) == fingerprint(right)) == (canonical_json(left) == canonical_json(right))


def test_a_model_counts_as_its_plain_data() -> None:
    spec = InputSpec(path="a")
    assert fingerprint(spec) == fingerprint(spec.model_dump(mode="json"))
    assert fingerprint([ReadConfig()]) == fingerprint([ReadConfig(max_bad_fraction=0.01)])
    assert fingerprint(ReadConfig()) != fingerprint(ReadConfig(max_bad_fraction=0.02))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", object()])
def test_what_has_no_json_has_no_fingerprint(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint({"value": value})
