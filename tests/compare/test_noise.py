"""How much seeds spread, measured before anything is judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from dq.compare import noise_of

Make = Callable[..., pl.DataFrame]


def test_the_spread_is_measured_on_the_neutral_sets_together_and_on_each_other_one(make_losses: Make) -> None:
    sizes = {"books": 50, "wiki": 50, "web": 50}
    losses = make_losses({"raw": 0.0, "a": 5.0, "b": -1.0}, sizes=sizes, seeds=range(8), spreads=(0.1, 0.01, 1e-6))
    neutral, web = noise_of(losses, arms=["raw", "a", "b"], neutral=["books", "wiki"])
    assert (neutral.held_out_set, web.held_out_set) == ("books and wiki", "web")
    assert (web.arms, web.seeds, web.df) == (3, 8, 14)
    assert web.low < web.sd < web.high and web.low < 0.1 * np.sqrt(2) < web.high
    # Two sets are two draws of a seed's spread here.
    assert neutral.sd / web.sd == pytest.approx(np.sqrt(0.5), rel=0.5)
    assert web.detectable[3] > web.detectable[5] > web.detectable[8] > web.detectable[12] > 0


def test_arms_share_the_seeds_that_all_have(make_losses: Make) -> None:
    losses = make_losses({"raw": 0.0, "a": 0.0, "control": 1.0}, seeds=range(6))
    losses = losses.filter((pl.col("variant") == "raw") | (pl.col("seed") < 4))
    (found,) = noise_of(losses, arms=["raw", "a"], neutral=["neutral"])
    assert (found.arms, found.seeds) == (2, 4)
    assert noise_of(losses.filter(pl.col("seed") < 1), arms=["raw", "a"], neutral=["neutral"]) == ()
    assert noise_of(losses, arms=["raw"], neutral=["neutral"]) == ()
