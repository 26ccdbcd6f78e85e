from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.training import Schedule, TrainingConfig

CONFIG = TrainingConfig(
    context=8, batch_windows=1, warmup_tokens=80, decay_fraction=0.2, curve_points=4, peak_learning_rate=1.0
)


def test_the_rate_rises_stays_and_falls_as_one_minus_sqrt() -> None:
    schedule = Schedule(config=CONFIG, steps=100)
    assert [schedule.learning_rate(step) for step in (1, 5, 10)] == pytest.approx([0.1, 0.5, 1.0])
    assert {schedule.learning_rate(step) for step in range(10, 81)} == {1.0}
    assert schedule.learning_rate(81) == pytest.approx(1 - (0.5 / 20) ** 0.5)
    assert schedule.learning_rate(90) == pytest.approx(1 - (9.5 / 20) ** 0.5)
    assert schedule.learning_rate(100) == pytest.approx(1 - (19.5 / 20) ** 0.5)


def test_points_are_spread_in_the_logarithm_and_say_their_phase() -> None:
    schedule = Schedule(config=CONFIG, steps=1000)
    steps = schedule.evaluation_steps()
    assert steps == [30, 90, 268, 800, 900, 1000]
    assert [schedule.phase(step) for step in steps] == ["trunk"] * 4 + ["cooling", "cooled"]


def test_the_phase_changes_with_the_first_step_of_the_fall() -> None:
    schedule = Schedule(config=CONFIG, steps=1000)
    assert (schedule.phase(800), schedule.phase(801)) == ("trunk", "cooling")
    assert (schedule.phase(999), schedule.phase(1000)) == ("cooling", "cooled")


@given(
    steps=st.integers(1, 5000),
    points=st.integers(1, 30),
    warmup=st.integers(0, 10**6),
    decay=st.floats(0.1, 0.5),
)
def test_any_schedule_moves_at_every_step_and_ends_cooled(steps: int, points: int, warmup: int, decay: float) -> None:
    config = TrainingConfig(warmup_tokens=warmup, decay_fraction=decay, curve_points=points, peak_learning_rate=3e-3)
    schedule = Schedule(config=config, steps=steps)
    for step in {1, steps // 2 or 1, max(1, steps - 1), steps}:
        assert 0 < schedule.learning_rate(step) <= 3e-3
    evaluated = schedule.evaluation_steps()
    assert evaluated == sorted(set(evaluated))
    assert evaluated[0] >= 1 and evaluated[-1] == steps
    assert len(evaluated) <= points + 2
    assert [schedule.phase(step) for step in evaluated].count("cooled") == 1


def test_budgets_share_the_rise_and_the_trunk() -> None:
    short, long = (Schedule(config=CONFIG, steps=steps) for steps in (100, 400))
    assert short.warmup_steps == long.warmup_steps == 10
    assert [short.learning_rate(step) for step in range(1, 81)] == [long.learning_rate(step) for step in range(1, 81)]
