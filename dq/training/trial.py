"""Steps of a new model on random tokens, of which nothing stays: for their speed, or for what they leave compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dq.executors import Placement
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.feed import STEPS_AT_ONCE_ELSEWHERE
from dq.training.memory import memory_told
from dq.training.model import Llama
from dq.training.program import make_program, summed_loss
from dq.training.scoring import Scorer
from dq.training.sizes import find_size
from dq.training.stack import Stack
from dq.training.tape import Tape

ROUNDS = 3
TURN_SECONDS = 0.3


@contextmanager
def train_steps(spec: RunSpec, *, placement: Placement) -> Iterator[Callable[[], Tensor]]:
    """A function that takes an optimiser step, as a run of this specification would, each time it is called."""
    config = spec.training
    with working_on(placement) as device:
        program = make_program(spec, device=device)
        shape = (config.batch_windows, config.context + 1)
        windows_BT = torch.randint(spec.vocabulary_size, shape, generator=torch.Generator().manual_seed(0)).to(device)
        rate = program.config.peak_learning_rate or 0.0
        yield lambda: program.step(windows_BT, learning_rate=rate)


@contextmanager
def stack_steps(spec: RunSpec, *, runs: int, placement: Placement) -> Iterator[Callable[[], Tensor]]:
    """The same for so many runs as one program."""
    config = spec.training
    with working_on(placement) as device:
        stack = Stack([make_program(spec, device=device) for _ in range(runs)], done=0)
        shape = (runs, config.batch_windows, config.context + 1)
        windows_RBT = torch.randint(spec.vocabulary_size, shape, generator=torch.Generator().manual_seed(0)).to(device)
        rate_R = torch.full((runs,), stack.programs[0].config.peak_learning_rate or 0.0, device=device)
        yield lambda: stack.step(windows_RBT, learning_rate_R=rate_R)


def stack_gain(spec: RunSpec, *, runs: int, placement: Placement) -> float:
    """How many times the rate of a run alone so many runs reach as one program, all of them together.

    Both take turns and the best of each counts, as whatever else the machine does only slows them.

    Raises:
        TrainingError: so many runs have no room.
    """
    with (
        memory_told(f"{runs} runs as one program", spec.training, processes=1),
        train_steps(spec, placement=placement) as alone,
        stack_steps(spec, runs=runs, placement=placement) as together,
    ):
        turns = [(_seconds_a_step(alone, placement), _seconds_a_step(together, placement)) for _ in range(1 + ROUNDS)]
    single, stacked = zip(*turns[1:], strict=True)  # in the first turn things get ready
    return float(runs * min(single) / min(stacked))


def _seconds_a_step(step: Callable[[], object], placement: Placement) -> float:
    """Of as many as are trained without a look at their losses, some times; on a CPU, one thread, in processor time."""
    is_cpu = placement.device.startswith("cpu")
    clock, at_once = (time.process_time, 1) if is_cpu else (time.perf_counter, STEPS_AT_ONCE_ELSEWHERE)
    began, done = clock(), 0
    while not done or clock() - began < TURN_SECONDS:
        for _ in range(at_once):
            step()
        done += at_once
        if placement.device.startswith("cuda"):
            torch.cuda.synchronize()
    return (clock() - began) / done


def compile_kernels() -> None:
    """Compile what a CPU trains and evaluates with, once for an installation; later processes load it."""
    model = Llama(find_size("0.1M"), vocabulary_size=2, context=2)
    ids_BT = torch.zeros((1, 3), dtype=torch.int64)
    torch.autograd.backward(summed_loss(model, ids_BT))
    Tape(model, windows=1, scale=1.0).gradients(ids_BT)
    Scorer(model).nats(ids_BT[:, :2], ids_BT[:, 1:])
