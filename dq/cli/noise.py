"""`dq noise`: how much seeds spread, and what so many of them would detect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dq.cli import show
from dq.cli.options import AsJson, TrainedWorkspace

if TYPE_CHECKING:
    from dq.compare import Noise
    from dq.study import StudyNoise


def noise(
    folder: TrainedWorkspace,
    as_json: AsJson = False,
) -> None:
    """Measure how much seeds spread, by size, budget and held-out set: what a margin and seeds can be chosen by.

    Example: dq noise dq-workspace
    """
    from dq.store import Workspace
    from dq.study import noise_of_workspace

    found = noise_of_workspace(Workspace(folder))
    if as_json:
        show.json(found)
        return
    rows = [_row(study, one) for study in found for one in study.noise]
    if not rows:
        show.line("no study of two arms and two seeds yet: `dq ablate` trains one")
        return
    seeds = tuple(found[0].noise[0].detectable)
    show.table(
        ("study", "size", "tokens", "held-out set", "sd", "90 %", *(f"{n} seeds" for n in seeds)),
        rows,
        align="llll" + "r" * (2 + len(seeds)),
        title="sd over seeds of a paired difference, and the smallest difference that so many seeds detect, "
        "bits per byte",
        more="sets",
    )


def _row(study: StudyNoise, one: Noise) -> tuple[str, ...]:
    return (
        f"{study.study} (cooldown)" if study.annealing else study.study,
        study.size,
        f"{study.budget_tokens:,}",
        one.held_out_set,
        f"{one.sd:.4f}",
        f"{one.low:.3f}-{one.high:.3f}",
        *(f"{difference:.3f}" for difference in one.detectable.values()),
    )
