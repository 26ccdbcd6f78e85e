"""Which runs of a study are trained as one program (`dq.training.stack`), and where that gains anything. No torch.

They are of one shape and one budget. A run that another one must equal to the bit stays alone, and so do runs that
share their first steps. Stacks are so small that no process waits for another's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dq.config import fingerprint
from dq.errors import TrainingError
from dq.results import Result
from dq.store import Workspace
from dq.study.cells import cells_of
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, PlannedRun, plan_grid
from dq.study.placing import place_runs
from dq.study.trunks import plan_trunks
from dq.training import RunFolder
from dq.variants import foreseen_universe

MAX_STACK = 8  # that is tried; assumed, as no GPU has been at hand
LEAST_GAIN = 1.05  # less is within what measuring it for a second tells

Stacks = int | Mapping[str, int]
"""Runs of a stack at the most: of every size, or by size, and of others 1."""


@dataclass(frozen=True)
class StackGain(Result):
    """Whether runs of a size gain by being one program on this machine.

    Attributes:
        size: of the models.
        runs: of the stack that was measured; 1 where no two are left for a process, and nothing was measured.
        gain: how many times the rate of a run alone they reach together.
        beside: single runs that share a device otherwise: at best they reach so many times the rate of one.
        is_worth: whether they are to be stacked.
    """

    size: str
    runs: int
    gain: float
    beside: int
    is_worth: bool

    @property
    def summary(self) -> str:
        """One line."""
        if self.runs == 1:
            return f"{self.size}: no two runs of one shape are left for a process, so each is trained alone"
        sharing = f" (of which {self.beside} share a device, each in a process)" if self.beside > 1 else ""
        what = "they are stacked" if self.is_worth else "each is trained alone"
        reach = f"{self.runs} runs as one program reach {self.gain:.2f} times the rate of a single run"
        return f"{self.size}: {reach}{sharing}: {what}"


def measure_stacks(
    config: StudyConfig, workspace: Workspace, *, workers: int | None = None, device: str = "auto"
) -> tuple[StackGain, ...]:
    """Train some steps of each size's shape on random tokens, alone and as one program; seconds for a size on a CPU.

    Args:
        config: of the study, in any number of cells.
        workspace: that a job has finished.
        workers: as for `forecast_grid`.
        device: as for `run_study`.
    """
    universe = foreseen_universe(workspace)
    planned = [run for cell in cells_of(config) for run in plan_grid(cell.config, workspace, universe)]
    waiting = {run.run_id: run for run in planned if run.spec.seed < config.stops[0]}
    waiting = {name: run for name, run in waiting.items() if not RunFolder(workspace.run(name)).status.exists()}
    sizes = dict.fromkeys(run.spec.size for run in waiting.values())
    return tuple(
        _gain([run for run in waiting.values() if run.spec.size == size], workers=workers, device=device)
        for size in sizes
    )


def _gain(runs: Sequence[PlannedRun], *, workers: int | None, device: str) -> StackGain:
    from dq.training.trial import stack_gain  # noqa: PLC0415  torch takes 2 s, and only this needs it

    size = runs[0].spec.size
    single, stacked = (place_runs(device, spec=runs[0].spec, stack=stack) for stack in (1, MAX_STACK))
    beside = single.at_a_time // stacked.at_a_time
    groups = plan_stacks(runs, most=MAX_STACK, at_a_time=workers or stacked.at_a_time)
    largest = max(groups, key=len)
    if len(largest) == 1:
        return StackGain(size, 1, 1.0, beside, is_worth=False)
    try:
        gain = stack_gain(largest[0].spec, runs=len(largest), placement=stacked.of(0)[0])
    except TrainingError:  # a stack that has no room gains nothing
        gain = 0.0
    return StackGain(size, len(largest), gain, beside, is_worth=gain > LEAST_GAIN * beside)


def plan_stacks(runs: Sequence[PlannedRun], *, most: Stacks, at_a_time: int) -> list[list[PlannedRun]]:
    """The runs in their order, those of a stack together; one that is alone is a list of one.

    Args:
        runs: all that are to be trained.
        most: runs of a stack, which may depend on their size.
        at_a_time: stacks that work beside each other.
    """
    alike: dict[str, list[PlannedRun]] = {}
    alone = _alone(runs)
    for run in runs:
        is_alone = run.run_id in alone or most_of(most, run.spec.size) == 1
        key = run.run_id if is_alone else fingerprint([run.spec.shape, run.sets])
        alike.setdefault(key, []).append(run)
    found = []
    for group in alike.values():
        size = min(most_of(most, group[0].spec.size), math.ceil(len(group) / at_a_time))
        found += [group[first : first + size] for first in range(0, len(group), size)]
    return found


def most_of(stacks: Stacks, size: str) -> int:
    """Runs of a stack at the most, of one size."""
    return stacks if isinstance(stacks, int) else stacks.get(size, 1)


def _alone(runs: Sequence[PlannedRun]) -> set[str]:
    """Runs that are there to be equal, or whose first steps are those of others."""
    repeated = [run.spec for run in runs if run.arm == REPEAT]
    trunks = plan_trunks(runs)
    shared = {run.run_id for branches in trunks.values() for run in branches}
    return {*trunks, *shared, *(run.run_id for run in runs if run.spec in repeated)}
