"""What a study file may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.config import checked, load_yaml
from dq.errors import ConfigError
from dq.study import ControlsConfig, StudyConfig
from dq.training import TrainingConfig
from dq.variants import Curated, Raw
from tests.study.conftest import tiny_study


@given(st.integers(8, 64), st.integers(1, 8), st.integers(0, 5000), st.integers(1, 50))
def test_the_budget_is_rounded_down_to_whole_steps(context: int, windows: int, extra: int, steps: int) -> None:
    a_step = context * windows
    extra %= a_step
    training = TrainingConfig(context=context, batch_windows=windows)
    config = tiny_study(budget_tokens=steps * a_step + extra, training=training)
    assert config.steps == steps
    assert config.budget_tokens == steps * a_step
    assert tiny_study(budget_tokens=config.budget_tokens, training=training) == config


def test_a_budget_below_one_step_is_refused_and_one_step_is_not() -> None:
    with pytest.raises(ConfigError, match="below one optimiser step of 256 tokens"):
        tiny_study(budget_tokens=255)
    assert tiny_study(budget_tokens=256).steps == 1


def test_a_fault_of_the_training_is_named_and_not_the_budget_that_it_would_round(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("training: {context: 0}\nbudget_tokens: 5\nmargin_bits_per_byte: 1.0\nvariants: {}\n")
    with pytest.raises(ConfigError, match=r"study\.yaml:1: `training\.context`"):
        load_yaml(path, StudyConfig)


def test_looks_are_read_from_a_file_as_they_are_given_in_python(tmp_path: Path) -> None:
    given = tiny_study().model_dump(mode="json", exclude={"seeds"}) | {"looks": [5, 9], "look_errors": [0.02, 0.03]}
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(given))
    read = load_yaml(path, StudyConfig)
    assert read == tiny_study(looks=(5, 9), look_errors=(0.02, 0.03)) and read.seeds == 9
    assert checked(StudyConfig, read.model_dump()) == read


def test_looks_say_how_many_seeds_there_are_and_spend_five_per_cent() -> None:
    config = tiny_study(looks=(5, 8, 12))
    assert (config.seeds, config.stops) == (12, (5, 8, 12))
    assert [look.error for look in config.plan] == [0.01, 0.015, 0.025]
    assert StudyConfig(**config.model_dump()) == config
    assert (tiny_study(seeds=4).plan, tiny_study(seeds=4).stops) == ((), (4,))


def test_controls_do_not_run_below_200000_tokens() -> None:
    controls = ControlsConfig(replaced_tokens=0.4)
    assert tiny_study(controls=controls, budget_tokens=200_191).active_controls is None  # 781 steps are 199,936 tokens
    assert tiny_study(controls=controls, budget_tokens=200_192).active_controls == controls
    assert tiny_study(controls=None, budget_tokens=200_192).active_controls is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "rawe"}, "unknown variant `rawe`; did you mean `raw`"),
        ({"size": "0.2M"}, r"unknown size `0.2M`; there are 0\.1M, 0\.3M"),
        ({"shares": {"news": 0.5, "web": 0.4}}, r"shares sum to 0\.9, not to 1"),
        ({"shares": {"news": 1.5, "web": -0.5}}, "less than or equal to 1"),
        ({"shares": {}}, "shares sum to 0, not to 1"),
        ({"variants": {"raw": Raw()}}, "at least 2"),
        ({"variants": {"raw": Raw(), "../x": Curated()}}, "not a name; use up to 50"),
        ({"variants": {"raw": Raw(), "x" * 51: Curated()}}, "not a name; use up to 50"),
        (
            {"variants": {"raw": Raw(), "control-aa": Curated()}},
            "the controls'; use another",
        ),
        ({"name": "../x"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"seeds": 0}, "seeds"),
        ({"looks": (5, 8), "seeds": 3}, "`looks` end with 8 seeds; leave `seeds` out"),
        ({"looks": (8, 5)}, "looks must grow"),
        ({"looks": (2, 5)}, "greater than or equal to 3"),
        ({"looks": ()}, "at least 1"),
        ({"looks": (5, 8), "look_errors": (0.04, 0.04)}, "sum to at most 0.05"),
        ({"look_errors": (0.05,)}, "there are no `looks`"),
        ({"margin_bits_per_byte": 0.0}, "margin"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_study(**changes)


def test_shares_may_be_rounded_as_people_round() -> None:
    shares = {"a": 0.3333333, "b": 0.3333333, "c": 0.3333334}
    assert tiny_study(shares=shares).shares == shares


def test_a_file_names_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = "\n".join([
        "name: mine",
        "budget_tokens: 300_000",
        "margin_bits_per_byte: 0.02",
        "variants:",
        "  raw: {kind: raw}",
        "  more: {kind: repeated, epoch: 4}",
    ])  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(
        ConfigError, match=r"study\.yaml:6: unknown key `variants\.more\..*epoch`; did you mean `epochs`\?"
    ):
        load_yaml(path, StudyConfig)
    path.write_text(text.replace("epoch:", "epochs:"))
    config = load_yaml(path, StudyConfig)
    assert config.budget_tokens == 299_008 and config.controls == ControlsConfig()
