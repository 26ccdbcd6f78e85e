"""Runs go round the devices; small models share one, and a machine without GPUs gives each core a run."""

from __future__ import annotations

import pytest
import torch

from dq.errors import TrainingError
from dq.executors import usable_cores
from dq.study.placing import RUNS_A_DEVICE, place_runs
from dq.training import find_size
from dq.training.device import find_devices


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_auto_is_the_cpu_with_a_run_a_core() -> None:
    placing = place_runs("auto", size=find_size("0.1M"))
    assert placing.devices == ("cpu",) and placing.at_a_time == usable_cores()
    assert {placing.of(number).device for number in range(5)} == {"cpu"}
    assert place_runs("cpu:0", size=find_size("0.1M")).at_a_time == usable_cores()


def test_runs_go_round_the_gpus_and_small_ones_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.training.device.find_devices", lambda _name: ["cuda:0", "cuda:1"])
    placing = place_runs("auto", size=find_size("0.3M"))
    assert [placing.of(number).device for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert placing.at_a_time == 2 * RUNS_A_DEVICE
    assert place_runs("auto", size=find_size("87M")).at_a_time == 2


def test_a_name_stands_for_devices() -> None:
    assert find_devices("cpu") == ["cpu"]
    assert find_devices("cpu:0") == ["cpu:0"]
    with pytest.raises(TrainingError, match=r"^device 'tpux' cannot be used \([^\n]*\); use another, such as cpu$"):
        find_devices("tpux")
