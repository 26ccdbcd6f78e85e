"""Training for its speed alone: steps of a new model on random tokens, of which nothing stays."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from dq.executors import Placement
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.program import make_program


def train_steps(spec: RunSpec, *, placement: Placement) -> Iterator[int]:
    """Train without end, as a run of this specification would; yields the number of steps done."""
    config = spec.training
    with working_on(placement) as device:
        program = make_program(spec, device=device)
        shape = (config.batch_windows, config.context + 1)
        windows_BT = torch.randint(spec.vocabulary_size, shape, generator=torch.Generator().manual_seed(0)).to(device)
        for step in count(1):
            program.step(windows_BT, learning_rate=program.config.peak_learning_rate or 0.0)
            yield step
