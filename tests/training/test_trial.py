"""Steps on random tokens, for their speed."""

from __future__ import annotations

import torch

from dq.executors import ON_CPU
from dq.training import RunSpec
from dq.training.trial import train_steps


def test_each_call_is_a_step_and_the_threads_are_given_back(spec: RunSpec) -> None:
    before = torch.get_num_threads()
    with train_steps(spec, placement=ON_CPU) as take_step:
        assert torch.get_num_threads() == 1
        losses = [float(take_step()[:-1].sum()) for _ in range(3)]
    assert losses == sorted(losses, reverse=True)  # the same windows again
    assert torch.get_num_threads() == before
