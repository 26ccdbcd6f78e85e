"""Where the runs of a study work: on which devices, and how many at a time."""

from __future__ import annotations

from dataclasses import dataclass

from dq.executors import Placement, usable_cores
from dq.training.sizes import ModelSize

MAX_SHARING_WIDTH = 256
RUNS_A_DEVICE = 4
"""Assumed, as no GPU has been at hand: up to width 256 a run waits for launches, and several fill the pauses."""


@dataclass(frozen=True)
class Placing:
    """Devices by torch's names, and the runs that share them."""

    devices: tuple[str, ...]
    at_a_time: int

    def of(self, number: int) -> Placement:
        """Where run ``number`` works: runs go round the devices."""
        return Placement(self.devices[number % len(self.devices)])


def place_runs(device: str, *, size: ModelSize) -> Placing:
    """Place a study's runs on a device, or on all there are of its kind.

    Args:
        device: ``auto`` (GPUs where there are any, else the CPU), or a name of torch's: ``cpu``, ``mps``, ``cuda`` for
            all GPUs, ``cuda:1`` for one.
        size: of the models; small ones share a GPU.

    Raises:
        TrainingError: there is no such device.
    """
    from dq.training.device import find_devices  # noqa: PLC0415  torch takes 2 s, and a study without runs needs none

    devices = find_devices(device)
    if devices[0].startswith("cpu"):
        return Placing(tuple(devices), usable_cores())
    shared_by = RUNS_A_DEVICE if size.width <= MAX_SHARING_WIDTH else 1
    return Placing(tuple(devices), len(devices) * shared_by)
