"""Smaller runs as proxies of larger ones, and what metrics are good for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from dq.compare import Proxy, Range, compare_runs, pass_at_k, signal_to_noise
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


def proxies(table: pl.DataFrame, *, baseline: str = "raw") -> Sequence[Proxy]:
    found = compare_runs(table, baseline=baseline).proxies
    assert found is not None
    return found.proxies


def ends(found: Range | None) -> tuple[float, float]:
    assert found is not None
    return found.low, found.high


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


def test_ranges_hold_what_seeds_leave_open() -> None:
    clear = runs({("0.1M", 1000): EFFECTS, ("0.3M", 1000): EFFECTS})
    (sure,) = proxies(clear)
    assert ends(sure.accuracy_range) == (1.0, 1.0) and ends(sure.regret_range) == (0.0, 0.0)
    alike = {name: effect / 50 for name, effect in EFFECTS.items()}  # half a standard deviation of a seed apart
    (doubtful,) = proxies(runs({("0.1M", 1000): alike, ("0.3M", 1000): alike}))
    low, high = ends(doubtful.accuracy_range)
    assert low < 0.5 and high > 0.8
    low, high = ends(doubtful.regret_range)
    assert low == 0.0 and 0.001 < high < 0.01
    (few,) = proxies(clear.filter(pl.col("seed") < "2"))
    assert few.accuracy_range is None and few.regret_range is None


def test_a_range_holds_the_true_accuracy_of_a_proxy_as_often_as_it_says() -> None:
    """Five arms of true orders that agree in nine pairs of ten. Accuracy is in steps, so that ranges may hold more."""
    here, there = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, 2.0, 3.0, 4.0])
    draw, held = np.random.default_rng(0), 0
    for _ in range(60):
        rows = [
            (size, f"v{arm}", 1000.0, str(seed), 3 + level[arm] * 0.01 + shared + draw.normal(0, 0.004))
            for size, level in (("0.1M", here), ("0.3M", there))
            for seed, shared in enumerate(draw.normal(0, 0.02, 4))
            for arm in range(5)
        ]
        table = pl.DataFrame(rows, schema=["size", "variant", "n_tokens", "seed", "loss"], orient="row")
        (one,) = proxies(table, baseline="v0")
        low, high = ends(one.accuracy_range)
        held += low <= 0.9 <= high
    assert held >= 55


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
