"""The windows of the next steps, fetched and brought to the device while it works on these.

A stream gathers its windows on the CPU: for a GPU that would be time without work. One thread is one stretch of steps
ahead, no more; windows are reached by position, so a resumed run is fed the same. A stretch is one step on a CPU;
elsewhere it is as many as are trained before the losses are read back, and one transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dq.errors import TrainingError
from dq.training.config import RunSpec
from dq.training.stream import TokenStream

STEPS_AT_ONCE = {"cpu": 1}
"""Steps of a stretch by type of device. On a CPU every loss is at hand, so divergence shows at once."""
STEPS_AT_ONCE_ELSEWHERE = 32  # assumed: no GPU has been at hand to measure what reading back costs


@dataclass(frozen=True)
class Stretch:
    """Steps ``first`` to ``last``, both counted, which are trained without a look at their losses."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def stretches(first: int, last: int, *, stops: Iterable[int], device: torch.device) -> list[Stretch]:
    """All steps from ``first`` to ``last`` in order, no stretch going past one of the ``stops``."""
    longest = STEPS_AT_ONCE.get(device.type, STEPS_AT_ONCE_ELSEWHERE)
    found, begin = [], first
    for stop in sorted({stop for stop in stops if first <= stop < last} | {last}):
        found += [Stretch(step, min(step + longest - 1, stop)) for step in range(begin, stop + 1, longest)]
        begin = stop + 1
    return found


@contextmanager
def windows_of(
    spec: RunSpec, stream: TokenStream, coming: Iterable[Stretch], *, device: torch.device
) -> Iterator[Iterator[tuple[Stretch, Tensor]]]:
    """Each stretch with its windows: int64 (steps, batch_windows, context + 1), on the device.

    The thread ends with the block, whatever ends it.

    Raises:
        TrainingError: when its stretch comes, where the stream gives windows of another shape.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        yield _one_ahead(thread, spec, stream, coming=iter(coming), device=device)


def _one_ahead(
    thread: ThreadPoolExecutor, spec: RunSpec, stream: TokenStream, *, coming: Iterator[Stretch], device: torch.device
) -> Iterator[tuple[Stretch, Tensor]]:
    stretch = next(coming, None)
    fetched = thread.submit(_fetch, spec, stream, stretch, device) if stretch else None
    while stretch and fetched:
        windows_SBT, now = fetched.result(), stretch
        if stretch := next(coming, None):
            fetched = thread.submit(_fetch, spec, stream, stretch, device)
        yield now, windows_SBT.to(device, non_blocking=True).long()


def _fetch(spec: RunSpec, stream: TokenStream, stretch: Stretch, device: torch.device) -> Tensor:  # noqa: PLR0917
    batch = spec.training.batch_windows
    windows_NT = stream.windows((stretch.first - 1) * batch, len(stretch) * batch)
    expected = (len(stretch) * batch, spec.training.context + 1)
    if windows_NT.shape != expected:
        raise TrainingError(
            f"seed {spec.seed}, step {stretch.first}: the stream gave windows of shape {windows_NT.shape}, "
            f"expected {expected}; was it built for another context?"
        )
    windows_SBT = torch.from_numpy(windows_NT.astype(np.int32)).view(len(stretch), batch, -1)
    return windows_SBT.pin_memory() if device.type == "cuda" else windows_SBT  # pinned: copied beside the work
