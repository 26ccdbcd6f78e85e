"""What every caller of a kernel does with arrays."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dq.arrays import between_groups


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 20))
def test_parts_hold_whole_groups_and_are_as_small_as_these_let_them(lengths: list[int], size: int) -> None:
    group = np.repeat(np.arange(len(lengths)), lengths)
    begins = np.append(True, group[1:] != group[:-1])[: len(group)]
    parts = np.split(group, between_groups(begins, size))
    assert np.concatenate(parts).tolist() == group.tolist()
    for one, other in itertools.pairwise(parts):
        assert one[-1] != other[0] and len(other) > 0
    assert all(len(part) < size + max(lengths) for part in parts if len(part))
