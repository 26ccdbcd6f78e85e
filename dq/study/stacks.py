"""Which runs of a study are trained as one program (`dq.training.stack`). No torch.

They are of one shape and one budget. A run that another one must equal to the bit stays alone, and so do runs that
share their first steps. Stacks are so small that no process waits for another's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dq.config import fingerprint
from dq.study.grid import REPEAT, PlannedRun
from dq.study.trunks import plan_trunks


def plan_stacks(runs: Sequence[PlannedRun], *, most: int, at_a_time: int) -> list[list[PlannedRun]]:
    """The runs in their order, those of a stack together; one that is alone is a list of one.

    Args:
        runs: all that are to be trained.
        most: runs of a stack.
        at_a_time: stacks that work beside each other.
    """
    alike: dict[str, list[PlannedRun]] = {}
    alone = _alone(runs)
    for run in runs:
        key = run.run_id if most == 1 or run.run_id in alone else fingerprint([run.spec.shape, run.sets])
        alike.setdefault(key, []).append(run)
    found = []
    for group in alike.values():
        size = min(most, math.ceil(len(group) / at_a_time))
        found += [group[first : first + size] for first in range(0, len(group), size)]
    return found


def _alone(runs: Sequence[PlannedRun]) -> set[str]:
    """Runs that are there to be equal, or whose first steps are those of others."""
    repeated = [run.spec for run in runs if run.arm == REPEAT]
    trunks = plan_trunks(runs)
    shared = {run.run_id for branches in trunks.values() for run in branches}
    return {*trunks, *shared, *(run.run_id for run in runs if run.spec in repeated)}
