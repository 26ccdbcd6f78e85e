"""Out of memory, told as the setting to change: whatever a device or the system calls it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dq.errors import TrainingError
from dq.training.config import TrainingConfig

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED", "can't start new thread")


@contextmanager
def memory_told(name: str, config: TrainingConfig, *, processes: int) -> Iterator[None]:
    """One line that names a smaller micro-batch, in place of what torch or NumPy raises.

    Raises:
        TrainingError: the memory did not suffice.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_about_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # lets go of the model and its gradients, or nothing could be told
        raise _told(name, config, processes=processes) from None


def _is_about_memory(error: BaseException) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in str(error) for sign in _SIGNS)


def _told(name: str, config: TrainingConfig, *, processes: int) -> TrainingError:
    own = config.windows_for(processes)
    now = min(config.microbatch_windows or own, own)
    if smaller := [n for n in range(1, now // 2 + 1) if config.batch_windows % n == 0]:
        return TrainingError(
            f"{name}: out of memory with {now:,} windows a pass; set `microbatch_windows` to {smaller[-1]:,} (steps "
            "stay the same, gradients are added up), or train fewer runs at a time",
            field="microbatch_windows",
        )
    return TrainingError(
        f"{name}: out of memory with one window a pass; choose a smaller `size`, or train fewer runs at a time",
        field="size",
    )
