"""Which runs of a study share their first steps: those that differ in their length, or in annealing.

The longest of them trains for all up to where the next one cools (`dq.training.trunk`), however much longer it is. Runs
of other rates never share, and by the rules every budget has its own, but for those within a factor of 2 of the study's
`trunk_tokens`: so 1 to 16 epochs of a fixed pool have one trunk where rates are stated. A stream is a prefix of a
longer one where nothing is repeated a fixed number of times, through its last whole block of mixed windows; what is
planned here is checked window by window before it is relied on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dq.config import fingerprint
from dq.study.grid import REPEAT, PlannedRun
from dq.training.trunk import shared_steps
from dq.variants import Variant
from dq.variants.stream import BLOCK_WINDOWS


def plan_trunks(runs: Sequence[PlannedRun]) -> dict[str, list[PlannedRun]]:
    """The runs whose first steps another one does, by that one's id; each run is in one place at most."""
    alike: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in runs:
        if run.arm != REPEAT:  # which is there to be trained alone
            alike[_what_is_shared(run)].append(run)
    found: dict[str, list[PlannedRun]] = {}
    for group in alike.values():
        waiting = sorted({run.run_id: run for run in group}.values(), key=lambda run: -run.spec.steps)
        while waiting:
            longest, *others = waiting
            branches = [run for run in others if branch_steps(longest, run)]
            if branches:
                found[longest.run_id] = branches
            waiting = [run for run in others if run not in branches]
    return found


def branch_steps(longest: PlannedRun, run: PlannedRun) -> int:
    """Steps of a run that another, as long or longer, can do for it; 0 where it cannot."""
    same_budget = longest.spec.steps == run.spec.steps
    if not (same_budget or _is_prefix(run)):
        return 0
    return shared_steps(longest.spec, run.spec)


def _what_is_shared(run: PlannedRun) -> str:
    """Of runs that may share a trunk: everything but the budget and, in annealing, the cooldown."""
    variant, spec = _at_first(run), run.spec
    shares, inputs = dict(variant.shares), dict(variant.inputs)
    return fingerprint([spec.seed, spec.size, variant.spec, shares, inputs])


def _at_first(run: PlannedRun) -> Variant:
    """The variant whose stream a run begins with."""
    return run.variant.trunk.variant if run.variant.trunk else run.variant


def _is_prefix(run: PlannedRun) -> bool:
    """Whether longer streams of what a run begins with begin as its own does, up to where it cools."""
    if any(one.grows for one in _at_first(run).spec.composition()):
        return False
    batch, windows = run.spec.training.batch_windows, run.spec.steps * run.spec.training.batch_windows
    whole = windows if run.variant.piece_tokens is None else windows - windows % BLOCK_WINDOWS
    return shared_steps(run.spec, run.spec) * batch <= whole
