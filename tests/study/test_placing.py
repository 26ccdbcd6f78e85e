"""Runs go round the devices; small models share one, and a machine without GPUs gives each core a run."""

from __future__ import annotations

import pytest
import torch

from dq.errors import TrainingError
from dq.executors import Placement, usable_cores
from dq.study.placing import RUNS_A_DEVICE, place_runs
from dq.training import RunSpec, TrainingConfig
from dq.training.device import find_devices


def of_size(size: str, **training: int) -> RunSpec:
    return RunSpec(
        size=size,
        seed=0,
        steps=1,
        vocabulary_size=64,
        bos_id=0,
        stream_fingerprint="",
        heldout_fingerprint="",
        training=TrainingConfig.model_validate(training),
    )


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_auto_is_the_cpu_with_a_run_a_core() -> None:
    placing = place_runs("auto", spec=of_size("0.1M"))
    assert placing.devices == ("cpu",) and placing.at_a_time == usable_cores()
    assert {placing.of(number) for number in range(5)} == {(Placement("cpu"),)}
    assert place_runs("cpu:0", spec=of_size("0.1M")).at_a_time == usable_cores()
    assert place_runs("cpu", spec=of_size("0.1M"), devices_per_run=4).at_a_time == max(1, usable_cores() // 4)


def test_runs_go_round_the_gpus_and_small_ones_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.training.device.find_devices", lambda _name: ["cuda:0", "cuda:1"])
    placing = place_runs("auto", spec=of_size("0.3M"))
    assert [placing.of(number)[0].device for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert placing.at_a_time == 2 * RUNS_A_DEVICE
    assert place_runs("auto", spec=of_size("87M")).at_a_time == 2


def test_gpus_that_share_runs_are_as_many_apart_and_those_that_cannot_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dq.training.device.find_devices", lambda _name: [f"cuda:{number}" for number in range(4)])
    placing = place_runs("auto", spec=of_size("0.3M"), devices_per_run=2)
    assert [one.device for number in (0, 1) for one in placing.of(number)] == [f"cuda:{number}" for number in range(4)]
    assert [(one.rank, one.world) for one in placing.of(1)] == [(0, 2), (1, 2)]
    assert placing.at_a_time == 2
    with pytest.raises(TrainingError, match=r"^8 devices are to share a run, and there are 4; lower `dev"):
        place_runs("auto", spec=of_size("0.3M", batch_windows=8), devices_per_run=8)
    with pytest.raises(TrainingError, match=r"^a step of 4 windows cannot be shared by 3 devices; let `batch_"):
        place_runs("auto", spec=of_size("0.3M"), devices_per_run=3)


def test_a_name_stands_for_devices() -> None:
    assert find_devices("cpu") == ["cpu"]
    assert find_devices("cpu:0") == ["cpu:0"]
    with pytest.raises(TrainingError, match=r"^device 'tpux' cannot be used \([^\n]*\); use another, such as cpu"):
        find_devices("tpux")
