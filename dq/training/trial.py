"""Training for its speed alone: steps of a new model on random tokens, of which nothing stays."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from dq.executors import Placement
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.loss import chunked_loss
from dq.training.model import Llama, initialise
from dq.training.optimizer import make_optimizer
from dq.training.precision import autocast, choose_precision


def train_steps(spec: RunSpec, *, placement: Placement) -> Iterator[int]:
    """Train without end, as a run of this specification would; yields the number of steps done."""
    config = spec.training
    with working_on(placement) as device:
        precision = choose_precision(config.precision, size=spec.model_size, device=device)
        model = Llama(spec.model_size, vocabulary_size=spec.vocabulary_size, context=config.context)
        initialise(model, seed=spec.seed)
        model.to(device)
        optimizer = make_optimizer(model, config)
        shape = (config.batch_windows, config.context + 1)
        windows_BT = torch.randint(spec.vocabulary_size, shape, generator=torch.Generator().manual_seed(0)).to(device)
        step = 0
        while True:
            for part_BT in torch.split(windows_BT, config.microbatch_windows or config.batch_windows):
                with autocast(precision, device=device):
                    hidden_ND = model.hidden(part_BT[:, :-1]).flatten(0, 1)
                    loss = chunked_loss(hidden_ND, model.head_VD, part_BT[:, 1:].flatten())
                torch.autograd.backward(loss / config.tokens_per_step)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            yield step
