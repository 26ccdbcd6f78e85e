"""Steps of a new model on random tokens, of which nothing stays: for their speed, or for what they leave compiled."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from dq.executors import Placement
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.loss import token_losses
from dq.training.model import Llama
from dq.training.program import make_program, summed_loss
from dq.training.sizes import find_size


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


def compile_kernels() -> None:
    """Compile what a CPU trains and evaluates with, once for an installation; later processes load it."""
    model = Llama(find_size("0.1M"), vocabulary_size=2, context=2)
    ids_BT = torch.zeros((1, 3), dtype=torch.int64)
    torch.autograd.backward(summed_loss(model, ids_BT))
    with torch.no_grad():
        token_losses(model.hidden(ids_BT[:, :2]).flatten(0, 1), model.head_VD, ids_BT[0, 1:])
