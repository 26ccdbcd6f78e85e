"""A run works where its placement says, with one thread on a CPU, whatever the process around it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from dq.errors import ConfigError, TrainingError
from dq.executors import Placement
from dq.training import HeldoutTokens, RunSpec, train
from dq.training.device import working_on
from tests.training.tokens import CyclicStream


def test_a_cpu_gives_one_thread_as_long_as_the_run_lasts() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), working_on(Placement()) as device:
        assert device == torch.device("cpu") and torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device")
def test_a_device_that_is_not_there_is_one_line(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"^device 'cuda' cannot be used \(.+\); use another, such as cpu"):
        train(spec, stream, heldout, run_dir=tmp_path / "run", placement=Placement("cuda"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["gpu", "meta", "cpu:3"])
def test_what_models_cannot_be_trained_on_is_refused(name: str) -> None:
    with pytest.raises(TrainingError, match=f"device '{name}' cannot be used"), working_on(Placement(name)):
        pass


@pytest.mark.parametrize(("rank", "world"), [(1, 1), (-1, 2), (0, 0)])
def test_a_rank_is_below_its_world(rank: int, world: int) -> None:
    with pytest.raises(ConfigError, match=f"rank {rank} in a world of {world}"):
        Placement(rank=rank, world=world)
