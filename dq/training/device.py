"""The devices there are, the one that a placement names, and how many threads a processor gives a run.

On a CPU a run has one thread: two in one process fall to 1 % of their speed as soon as anything else runs (measured),
and the number of threads decides the last bits of a sum.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import torch

from dq.errors import TrainingError
from dq.executors import Placement

KINDS = ("cpu", "cuda", "mps")


def find_devices(name: str) -> list[str]:
    """The devices that a name stands for: ``auto`` takes what is fastest, ``cuda`` every GPU, others are their own.

    Raises:
        TrainingError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    _device(name)
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if name == "cuda" else [name]


@contextmanager
def working_on(placement: Placement) -> Iterator[torch.device]:
    """The device of a run; while the block lasts, this process computes with one thread where that is the CPU.

    Raises:
        TrainingError: there is no such device.
    """
    device = _device(placement.device)
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
        _keep_freed_memory()
    try:
        yield device
    finally:
        torch.set_num_threads(threads)


@cache
def _keep_freed_memory() -> None:
    """Tell glibc, where that is the C library, to keep what a step frees for the next one.

    Else it gives pages back and asks for them again, a thousand times a step: a tenth of the time at 0.3M parameters.
    """
    trim_threshold, mmap_threshold, largest_bytes = -1, -3, 1 << 30  # malloc.h
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, largest_bytes)
        libc.mallopt(trim_threshold, largest_bytes)


def _device(name: str) -> torch.device:
    """A device that works, and that models can be trained on."""
    try:
        device = torch.device(name)
        if device.type not in KINDS or (device.type == "cpu" and device.index):
            raise RuntimeError("no such device to train on")  # torch has one without memory, and any number of CPUs
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].partition("Expected one of")[0] or "no such name"  # else torch lists 24
        raise TrainingError(
            f"device {name!r} cannot be used ({reason}); use another, such as cpu", field="device"
        ) from None
    return device
