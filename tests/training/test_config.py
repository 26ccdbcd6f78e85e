from __future__ import annotations

import subprocess
import sys

import pydantic
import pytest
import torch

from dq import training
from dq.errors import ConfigError
from dq.training import SIZES, RunSpec, TrainingConfig, find_size, rates
from dq.training.precision import Hardware, choose_precision, precision_from_table


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, dq.training as t; t.SIZES, t.read_run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_the_command_is_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import dq.training\n"
        "try: dq.training.train\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "torch is not installed; run: pip install torch" in done.stdout


def test_every_public_name_is_there() -> None:
    assert all(
        callable(getattr(training, name)) for name in training.__all__ if name not in ("SIZES", "PrecisionChoice")
    )
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = training.trian


def test_names_of_sizes_are_their_parameters_at_a_vocabulary_of_2048() -> None:
    for name, size in SIZES.items():
        total = size.parameters(2048).total
        stated = float(name[:-1]) * (1e9 if name.endswith("B") else 1e6)
        assert total == pytest.approx(stated, rel=0.17 if total < 1e6 else 0.05)
    totals = [size.parameters(2048).total for size in SIZES.values()]
    assert totals == sorted(totals)


def test_a_size_that_is_not_on_the_ladder_is_refused_with_the_ladder() -> None:
    with pytest.raises(ConfigError, match=r"unknown size `2M`; there are 0\.1M, 0\.3M"):
        find_size("2M")
    with pytest.raises(ConfigError, match=r"unknown size `2M`; there are 0\.1M"):
        RunSpec(
            size="2M",
            seed=0,
            steps=1,
            vocabulary_size=8,
            bos_id=0,
            stream_fingerprint="",
            heldout_fingerprint="",
        )


REFERENCE = {"tokens_per_step": 1024, "budget_tokens": 229_376}


def test_rates_go_through_what_was_measured_and_follow_their_rules() -> None:
    def rate(size: str, **changes: int) -> float:
        return rates.learning_rate(SIZES[size], **{**REFERENCE, **changes})

    assert rate("0.1M") == rate("0.3M") == 6e-3
    assert rate("1.1M") == pytest.approx(6e-3 / 2**0.5, rel=0.02)
    assert rate("0.3M", tokens_per_step=4096) == pytest.approx(12e-3)
    assert rate("0.3M", budget_tokens=229_376 * 100) == pytest.approx(6e-3 / 100**0.3, rel=0.02)
    assert [rate(size) for size in SIZES] == sorted((rate(size) for size in SIZES), reverse=True)
    # A model of 87M on 2 G tokens with steps of 131k: between nanoGPT's 6e-4 and OLMo's halved 2.3e-3.
    assert 6e-4 < rate("87M", tokens_per_step=131_072, budget_tokens=2_000_000_000) < 2.3e-3


def test_weight_decay_forgets_over_the_published_share_of_a_run() -> None:
    def decay(tokens_per_parameter: int) -> float:
        return rates.weight_decay(
            parameters=10**6, learning_rate=1e-3, steps=1000, budget_tokens=tokens_per_parameter * 10**6
        )

    assert decay(1) == pytest.approx(1 / 1.08, rel=0.02)
    assert decay(20) == pytest.approx(20**0.527 / 1.08, rel=0.02)


def test_a_resolved_configuration_holds_numbers_and_what_was_stated(spec: RunSpec) -> None:
    training = spec.resolved_training
    assert training.peak_learning_rate and training.weight_decay and training.warmup_tokens == 51
    stated = TrainingConfig(context=32, peak_learning_rate=1e-4, weight_decay=0.0, warmup_tokens=0)
    assert spec.model_copy(update={"training": stated}).resolved_training == stated
    assert spec.model_copy(update={"training": training}).resolved_training == training


@pytest.mark.parametrize("decay", [0.1, 0.5])
def test_decay_fractions_up_to_the_limits_are_taken(decay: float) -> None:
    assert TrainingConfig(decay_fraction=decay).decay_fraction == decay


@pytest.mark.parametrize(
    "wrong",
    [
        {"decay_fraction": 0.09},
        {"decay_fraction": 0.51},
        {"batch_windows": 6, "microbatch_windows": 4},
        {"warmup_tokens": -1},
        {"precision": "fp16"},
        {"learning_rate": 1.0},
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        TrainingConfig.model_validate(wrong)


@pytest.mark.parametrize(
    ("size", "device_type", "features", "expected"),
    [
        ("0.3M", "cpu", {"amx_bf16"}, "fp32"),
        ("15M", "cpu", {"amx_bf16"}, "fp32"),
        ("33M", "cpu", {"amx_bf16"}, "bf16"),
        ("33M", "cpu", set(), "fp32"),
        ("3.0M", "cuda", {"cuda_bf16"}, "fp32"),
        ("6.8M", "cuda", {"cuda_bf16"}, "bf16"),
        ("6.8M", "cuda", set(), "fp32"),
    ],
)
def test_precision_follows_the_table(size: str, device_type: str, features: set[str], expected: str) -> None:
    assert precision_from_table(SIZES[size], hardware=Hardware(device_type, frozenset(features))) == expected


def test_a_stated_precision_beats_the_table() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("bf16", size=SIZES["0.1M"], device=cpu) == "bf16"
    assert choose_precision("auto", size=SIZES["0.1M"], device=cpu) == "fp32"
