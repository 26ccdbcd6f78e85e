"""Where the runs of a study work: on which devices, how many at a time, and how many devices share one."""

from __future__ import annotations

from dataclasses import dataclass

from dq.errors import TrainingError
from dq.executors import Placement, usable_cores
from dq.training import RunSpec

MAX_SHARING_WIDTH = 256
RUNS_A_DEVICE = 4
"""Assumed, as no GPU has been at hand: up to width 256 a run waits for launches, and several fill the pauses."""


@dataclass(frozen=True)
class Placing:
    """Devices by torch's names, and the runs that share them."""

    devices: tuple[str, ...]
    at_a_time: int
    devices_per_run: int = 1

    @property
    def on_cpu(self) -> bool:
        """Whether they are cores."""
        return self.devices[0].startswith("cpu")

    def of(self, number: int) -> tuple[Placement, ...]:
        """Where run ``number`` works, a placement a process: runs go round the devices."""
        first, world = number * self.devices_per_run, self.devices_per_run
        return tuple(Placement(self.devices[(first + rank) % len(self.devices)], rank, world) for rank in range(world))


def place_runs(device: str, *, spec: RunSpec, devices_per_run: int = 1, stack: int = 1) -> Placing:
    """Place a study's runs on a device, or on all there are of its kind.

    Args:
        device: ``auto`` (GPUs where there are any, else the CPU), or a name of torch's: ``cpu``, ``mps``, ``cuda`` for
            all GPUs, ``cuda:1`` for one.
        spec: of the runs; those of small models share a GPU.
        devices_per_run: GPUs that share a run; of a CPU, cores.
        stack: runs that are one program, which has a GPU to itself.

    Raises:
        TrainingError: there is no such device, there are fewer than are to share a run, or they cannot share a step; or
            devices are to share runs that are one program.
    """
    from dq.training.device import find_devices  # noqa: PLC0415  torch takes 2 s, and a study without runs needs none

    devices = find_devices(device)
    is_cpu = devices[0].startswith("cpu")
    there = usable_cores() if is_cpu else len(devices)
    spec.training.windows_for(devices_per_run)
    if devices_per_run > there and not is_cpu:
        raise TrainingError(
            f"{devices_per_run:,} devices are to share a run, and there are {there:,}; lower `devices_per_run`",
            field="devices_per_run",
        )
    if devices_per_run > 1 and stack > 1:
        raise TrainingError("devices cannot share runs that are one program; leave `stack` at 1", field="stack")
    is_small = not is_cpu and devices_per_run == stack == 1 and spec.model_size.width <= MAX_SHARING_WIDTH
    runs_a_device = RUNS_A_DEVICE if is_small else 1
    return Placing(tuple(devices), max(1, there // devices_per_run) * runs_a_device, devices_per_run)
