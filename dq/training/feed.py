"""The windows of the next step, fetched while the device works on this one.

A stream gathers its windows on the CPU: for a GPU that would be time without work. One thread is
one step ahead, no more; windows are reached by position, so a resumed run is fed the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from dq.errors import TrainingError
from dq.training.config import RunSpec
from dq.training.stream import TokenStream


@contextmanager
def step_windows(spec: RunSpec, stream: TokenStream, *, first_step: int) -> Iterator[Iterator[Tensor]]:
    """The windows of each step from ``first_step`` to the last: int64 (batch_windows, context + 1), on the CPU.

    The thread ends with the block, whatever ends it.

    Raises:
        TrainingError: when its step comes, where the stream gives windows of another shape.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        yield _one_ahead(thread, spec, stream, first_step=first_step)


def _one_ahead(thread: ThreadPoolExecutor, spec: RunSpec, stream: TokenStream, *, first_step: int) -> Iterator[Tensor]:
    if first_step > spec.steps:
        return
    coming = thread.submit(_fetch, spec, stream, first_step)
    for step in range(first_step, spec.steps + 1):
        windows_BT = coming.result()
        if step < spec.steps:
            coming = thread.submit(_fetch, spec, stream, step + 1)
        yield windows_BT


def _fetch(spec: RunSpec, stream: TokenStream, step: int) -> Tensor:
    count = spec.training.batch_windows
    windows_BT = stream.windows((step - 1) * count, count)
    expected = (count, spec.training.context + 1)
    if windows_BT.shape != expected:
        raise TrainingError(
            f"variant {spec.variant!r}, step {step}: the stream gave windows of shape {windows_BT.shape}, "
            f"expected {expected}; was it built for another context?"
        )
    return torch.from_numpy(windows_BT.astype(np.int64))
