"""Places of a dose, against sorting the hashes of each text."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.text import content_keys, mix64, text_batch
from dq.text.edits import WHERE, places_of_dose


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 12) | st.integers(0, 5000), max_size=12),
    dose=st.sampled_from([0.0, 0.001, 0.05, 0.5, 0.999, 1.0]) | st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_a_dose_takes_the_places_of_each_text_with_the_lowest_hashes(counts: list[int], dose: float, seed: int) -> None:
    batch = text_batch([f"text {number}" for number in range(len(counts))])
    taken = places_of_dose(np.array(counts, np.int64), batch, dose=dose, seed=seed)
    begin = 0
    for key, count in zip(content_keys(batch), counts, strict=True):
        hashes = mix64(np.full(count, key), np.arange(count), seed, WHERE)
        lowest = np.sort(np.argsort(hashes, kind="stable")[: int(np.rint(dose * count))])
        assert np.flatnonzero(taken[begin : begin + count]).tolist() == lowest.tolist()
        begin += count
