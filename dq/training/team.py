"""The processes that train one run together, each with the whole model and its part of every step's windows.

Weights start equal, by their seed. Once a step gradients and losses are added up over the team, in one message, so that
all take the same step from the same numbers and weights stay equal without being sent. The windows of a step are those
of a run alone, so its curve is the same to rounding: sums are made in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from dq.executors import Placement, WorkerDiedError


@dataclass(frozen=True)
class Team:
    """The place of a process among those that share a run; alone, nothing is sent."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes what the team has found."""
        return self.rank == 0

    def own(self, windows_BT: Tensor) -> Tensor:
        """The windows of a step that this process works on."""
        return windows_BT.chunk(self.world)[self.rank]

    def add_up(self, gradients: Sequence[Tensor], losses_P: Tensor) -> Tensor:
        """Give every process the gradients of all together; (world x P,) the losses of all, in the windows' order."""
        if self.world == 1:
            return losses_P
        losses_WP = losses_P.new_zeros(self.world, len(losses_P))
        losses_WP[self.rank] = losses_P
        parts = [*gradients, losses_WP]
        message = torch.cat([part.flatten() for part in parts])
        self.sum_up(message)
        for part, total in zip(parts, torch.split(message, [part.numel() for part in parts]), strict=True):
            part.copy_(total.view_as(part))
        return losses_WP.flatten()

    def sum_up(self, values: Tensor) -> None:
        """Replace values by their sums over the team.

        Raises:
            WorkerDiedError: another process of the team is gone.
        """
        if self.world == 1:
            return
        try:
            distributed.all_reduce(values)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise WorkerDiedError(
                f"a process that shares the run is gone ({reason}); run the same command again to go on"
            ) from None

    def wait(self) -> None:
        """Until all are here: what the first has written is there then."""
        if self.world > 1:
            distributed.barrier()

    def any(self, here: bool, *, device: torch.device) -> bool:
        """Whether it is so in any process: clocks differ, and all must stop at one step."""
        told = torch.tensor(float(here), device=device)
        self.sum_up(told)
        return bool(told > 0)


ALONE = Team()


@contextmanager
def team_of(placement: Placement, *, device: torch.device) -> Iterator[Team]:
    """Meet the others that share the run; they part with the block. By NCCL between GPUs, else by Gloo."""
    if placement.world == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=placement.meeting,
        rank=placement.rank,
        world_size=placement.world,
    )
    try:
        yield Team(placement.rank, placement.world)
    finally:
        distributed.destroy_process_group()
