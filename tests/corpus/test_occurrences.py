"""Documents that occur more than once are numbered by source and text, in the order of their ids."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dq.corpus import corpus


@pytest.mark.parametrize("at_a_time", [1, 7, 1 << 18])
def test_numbers_are_places_among_equals_however_many_are_numbered_at_a_time(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "NUMBERED_AT_A_TIME", at_a_time)
    drawn = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "id": [f"d{number}" for number in drawn.integers(0, 50, 120)],
            "source": drawn.choice(["web", "news"], 120),
            "content_key": pl.Series(drawn.integers(0, 30, 120), dtype=pl.UInt64),
        }
    )
    rows = table.with_row_index("row").rows(named=True)
    expected = [
        sum(
            other["source"] == row["source"]
            and other["content_key"] == row["content_key"]
            and (other["id"], other["row"]) < (row["id"], row["row"])
            for other in rows
        )
        for row in rows
    ]
    assert max(expected) > 3
    found = corpus.occurrences(table["content_key"].to_numpy(), table.__getitem__)
    assert found.tolist() == expected
