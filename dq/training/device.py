"""The device that a placement names, and how many threads a processor gives a run.

On a CPU a run has one thread: two in one process fall to 1 % of their speed as soon as anything else runs (measured),
and the number of threads decides the last bits of a sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dq.errors import TrainingError
from dq.executors import Placement


@contextmanager
def working_on(placement: Placement) -> Iterator[torch.device]:
    """The device of a run; while the block lasts, this process computes with one thread where that is the CPU.

    Raises:
        TrainingError: there is no such device, or the run is to be shared.
    """
    if placement.world > 1:
        raise TrainingError(f"a run is trained by one process, and its placement says {placement.world}; use world=1")
    try:
        device = torch.device(placement.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise TrainingError(
            f"device {placement.device!r} cannot be used ({reason}); use another, such as cpu"
        ) from None
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield device
    finally:
        torch.set_num_threads(threads)
