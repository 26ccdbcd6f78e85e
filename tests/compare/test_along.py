"""Along the budgets: where arms cross, and how far apart they are on the whole."""

from __future__ import annotations

import numpy as np
import pytest

from dq.compare import Along, along_budgets
from dq.compare.levels import ArmLosses

BUDGETS = (1e5, 2e5, 4e5, 8e5)


def found(differences: tuple[float, ...], *, sd: float = 0.0, seeds: int = 4, own_seeds: bool = False) -> Along:
    draw = np.random.default_rng(0)
    noise = draw.normal(0, sd, (2, 4, seeds))
    arms = []
    for arm, levels in enumerate((differences, (0.0,) * 4)):
        names = [f"{'own' if own_seeds and arm else ''}{seed}" for seed in range(seeds)]
        arms.append(
            ArmLosses({
                tokens: dict(zip(names, (3 + level + noise[arm, number]).tolist(), strict=True))
                for number, (tokens, level) in enumerate(zip(BUDGETS, levels, strict=True))
            })
        )  # fmt: skip
    along = along_budgets(arms[0], arms[1], names=("curated", "raw"))
    assert along is not None
    return along


def test_the_crossover_is_found_on_straight_lines_in_log_tokens() -> None:
    one = found((-0.04, -0.02, 0.02, 0.04))
    assert one.crossover == pytest.approx(np.sqrt(2e5 * 4e5))
    assert one.in_words.startswith("overtaken by raw at 282,843 tokens")
    assert found((0.04, 0.02, -0.02, -0.04)).in_words.startswith("overtakes raw at 282,843 tokens")


def test_arms_that_do_not_cross_or_do_so_twice_have_no_crossover() -> None:
    assert found((-0.04, -0.03, -0.02, -0.01)).in_words == "none in range (better)"
    assert found((0.04, 0.03, 0.02, 0.01)).in_words == "none in range (worse)"
    assert found((-0.04, 0.03, -0.02, -0.01)).in_words == "none: it changes more than once"


def test_the_area_between_the_curves_is_the_mean_difference_over_log_tokens() -> None:
    one = found((-0.04, -0.02, 0.02, 0.04))
    assert one.mean == pytest.approx((0.5 * -0.04 - 0.02 + 0.02 + 0.5 * 0.04) / 3)
    assert found((-0.05,) * 4, sd=0.001).mean == pytest.approx(-0.05, abs=1e-3)


@pytest.mark.parametrize("own_seeds", [False, True])
def test_the_interval_of_the_crossover_is_where_the_arms_are_not_told_apart(own_seeds: bool) -> None:
    one = found((-0.04, -0.02, 0.02, 0.04), sd=0.004, own_seeds=own_seeds)
    assert one.paired is not own_seeds
    assert one.crossover is not None and one.crossover_low is not None and one.crossover_high is not None
    assert 1e5 < one.crossover_low < one.crossover < one.crossover_high < 8e5
    assert one.mean_low is not None and one.mean_high is not None and one.mean_low < 0 < one.mean_high


def test_an_interval_that_reaches_the_last_budget_is_open() -> None:
    one = found((-0.04, -0.03, -0.02, 0.005), sd=0.005)
    assert one.crossover_high is None and one.crossover_low is not None and "(above " in one.in_words


def test_single_runs_have_a_crossover_without_an_interval() -> None:
    one = found((-0.04, -0.02, 0.02, 0.04), seeds=1)
    assert one.crossover is not None and one.mean_low is None and one.in_words.endswith("(single runs)")


def test_one_budget_in_common_is_nothing_to_go_along() -> None:
    arm = ArmLosses({1e5: {"0": 3.0}})
    assert along_budgets(arm, arm, names=("a", "b")) is None
