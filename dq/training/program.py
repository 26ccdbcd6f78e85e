"""What one optimiser step does on a device: loss, gradients, clipping, AdamW; taped, compiled or eager.

The compiled function belongs to the module, and weights are its arguments: a worker compiles a shape of model and
windows once, and every later run of that shape starts at once (measured: 100 s for the first of a shape on a busy CPU,
0.03 s for the second). On the CPUs that were measured compiling gains nothing at 0.3M parameters and at 1.1M the 1.2
times that a tape gains too (`dq.training.tape`), so only GPUs do it unless a study says so: there small models are
bound by launches. That is assumed: no GPU has been at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from dq.errors import TrainingError
from dq.training.config import RunSpec, TrainingConfig
from dq.training.forward import can_record
from dq.training.loss import chunked_loss
from dq.training.model import Llama, initialise
from dq.training.optimizer import FlatAdamW, make_optimizer, set_learning_rate
from dq.training.precision import Precision, autocast, choose_precision
from dq.training.tape import Tape
from dq.training.team import ALONE, Team

LossFunction = Callable[[Any, Tensor], Tensor]
"""Of a model and windows."""


@dataclass(frozen=True, eq=False)
class Program:
    """A model, its optimiser, and how they are trained."""

    model: Llama
    optimizer: torch.optim.AdamW
    config: TrainingConfig
    precision: Precision
    device: torch.device
    is_compiled: bool
    loss: LossFunction
    team: Team
    stacked: int = 1
    """Runs that are trained together as one program (`dq.training.stack`); alone otherwise."""

    def step(self, windows_BT: Tensor, *, learning_rate: float) -> Tensor:
        """One optimiser step: (parts + 1,) the summed nats of each micro-batch, and the gradient's norm.

        Nothing is read back from the device. Processes that share the run are each given the windows of all.
        """
        own_P = self._gradients(self.team.own(windows_BT))
        set_learning_rate(self.optimizer, learning_rate)
        if self._flat:
            losses_P = self.team.add_up(self._flat.grads, own_P)
            return torch.cat((losses_P, self._flat.step()[None]))
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        losses_P = self.team.add_up(gradients, own_P)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return torch.cat((losses_P, norm[None]))

    def _gradients(self, windows_BT: Tensor) -> Tensor:
        """Give parameters the gradients of the step's mean loss; (parts,) the summed nats of each micro-batch."""
        if self._tape:
            return self._tape.gradients(windows_BT)[None]
        measured = []
        for part_BT in torch.split(windows_BT, self.config.microbatch_windows or len(windows_BT)):
            with autocast(self.precision, device=self.device):
                loss = self.loss(self.model, part_BT)
            torch.autograd.backward(loss / self.config.tokens_per_step)
            measured.append(loss.detach().clone())  # a graph writes its next loss into the same place
        return torch.stack(measured)

    @cached_property
    def _tape(self) -> Tape | None:
        """Written at the first step; none for compilers, other devices and formats, long windows and micro-batches."""
        is_plain = self.precision == "fp32" and not self.is_compiled and can_record(self.model)
        windows = self.config.windows_for(self.team.world)
        if not is_plain or (self.config.microbatch_windows or windows) < windows:
            return None
        return Tape(self.model, windows=windows, scale=1 / self.config.tokens_per_step)

    @cached_property
    def _flat(self) -> FlatAdamW | None:
        return FlatAdamW(self.optimizer, clip=self.config.gradient_clip) if self._tape else None


def make_program(spec: RunSpec, *, device: torch.device, team: Team = ALONE) -> Program:
    """The untrained model of a run and its optimiser, on a device.

    Raises:
        TrainingError: the run is to be compiled, and cannot be; or steps cannot be shared by the team.
    """
    size, config = spec.model_size, spec.resolved_training
    model = Llama(size, vocabulary_size=spec.vocabulary_size, context=config.context)
    initialise(model, seed=spec.seed)
    model.to(device)
    return Program(
        model=model,
        optimizer=make_optimizer(model, config),
        config=config,
        precision=choose_precision(config.precision, size=size, device=device),
        device=device,
        is_compiled=_is_compiled(config, device),
        loss=loss_function(summed_loss, config=config, device=device, processes=team.world),
        team=team,
    )


def loss_function(
    plain: LossFunction, *, config: TrainingConfig, device: torch.device, processes: int = 1
) -> LossFunction:
    """The function as it is, or compiled where the run is to be."""
    if not _is_compiled(config, device):
        return plain
    own_windows = config.windows_for(processes)
    is_whole = (config.microbatch_windows or own_windows) >= own_windows
    return _compiled(plain, with_graphs=device.type == "cuda" and is_whole)


def _is_compiled(config: TrainingConfig, device: torch.device) -> bool:
    return device.type == "cuda" if config.compiled is None else config.compiled


def summed_loss(model: Llama, windows_BT: Tensor) -> Tensor:
    """-log p of every window's tokens behind its first, summed, in nats."""
    hidden_ND = model.hidden(windows_BT[:, :-1]).flatten(0, 1)
    return chunked_loss(hidden_ND, model.head_VD, windows_BT[:, 1:].flatten())


@cache
def _compiled(plain: LossFunction, *, with_graphs: bool) -> LossFunction:
    """Gradients that accumulate would lie where a CUDA graph writes the next ones, so then there are no graphs."""
    compiled: Any = torch.compile(plain, dynamic=False, mode="reduce-overhead" if with_graphs else None)

    def loss(model: Any, windows_BT: Tensor) -> Tensor:
        if with_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            found: Tensor = compiled(model, windows_BT)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            reason = str(error.inner_exception).partition("\n")[0]
            raise TrainingError(
                f"the model cannot be compiled here ({reason}); install a C++ compiler, or set it to false",
                field="compiled",
            ) from None
        return found

    return loss
