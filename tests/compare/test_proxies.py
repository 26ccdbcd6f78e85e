"""Smaller runs as proxies of larger ones, and what metrics are good for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dq.compare import compare_runs, pass_at_k, signal_to_noise
from dq.errors import CompareError

EFFECTS = {"raw": 0.0, "a": -0.05, "b": 0.05, "c": 0.10}


def runs(orders: dict[tuple[str, int], dict[str, float]]) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    rows = [
        (size, name, float(tokens), str(seed), 3 - 0.1 * np.log(tokens) + effect + draw.normal(0, 0.002))
        for (size, tokens), effects in orders.items()
        for name, effect in effects.items()
        for seed in range(4)
    ]
    return pl.DataFrame(rows, schema=["size", "variant", "n_tokens", "seed", "loss"], orient="row")


def test_a_proxy_is_judged_by_order_and_regret_at_the_largest_runs() -> None:
    wrong = EFFECTS | {"a": 0.02, "b": -0.02}  # of six pairs, a and b, a and raw, b and raw are turned around
    table = runs({("0.1M", 1000): wrong, ("0.1M", 2000): EFFECTS, ("0.3M", 1000): EFFECTS, ("0.3M", 2000): EFFECTS})
    found = compare_runs(table).proxies
    assert found is not None and (found.runs, found.n_tokens) == ("size 0.3M", 2000)
    assert [(one.runs, one.n_tokens) for one in found.proxies] == [
        ("size 0.1M", 1000), ("size 0.1M", 2000), ("size 0.3M", 1000)
    ]  # fmt: skip
    first, second, _ = found.proxies
    assert (first.decision_accuracy, first.told_accuracy, first.choice) == (0.5, 0.5, "b")
    assert first.regret == pytest.approx(0.10, abs=0.005)
    assert (second.decision_accuracy, second.regret) == (1.0, 0.0)
    assert found.smallest == second


def test_fewer_than_three_arms_in_common_make_no_proxy() -> None:
    two = {"raw": 0.0, "a": 0.1}
    assert compare_runs(runs({("0.1M", 1000): two, ("0.1M", 2000): two})).proxies is None


@pytest.mark.parametrize(
    ("tries", "successes", "k", "chance"), [(10, 3, 1, 0.3), (10, 3, 5, 11 / 12), (5, 5, 2, 1.0), (5, 0, 5, 0.0)]
)
def test_pass_at_k_is_the_unbiased_estimate(tries: int, successes: int, k: int, chance: float) -> None:
    assert pass_at_k(tries, successes, k=k) == pytest.approx(chance)


def test_signal_to_noise_is_the_relative_range_over_the_relative_spread() -> None:
    assert signal_to_noise([0.4, 0.5, 0.6], [0.5, 0.52, 0.48]) == pytest.approx(0.4 / (np.std([0.5, 0.52, 0.48]) / 0.5))


def test_metrics_without_enough_to_go_by_are_refused() -> None:
    with pytest.raises(CompareError, match="do not tell the chance in 6"):
        pass_at_k(5, 1, k=6)
    with pytest.raises(CompareError, match="the same at all checkpoints"):
        signal_to_noise([1, 2], [3, 3])
    with pytest.raises(CompareError, match="there are 1 and 2"):
        signal_to_noise([1], [3, 4])
