"""`dq noise`: how much seeds spread, and what so many of them would detect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, TrainedWorkspace

if TYPE_CHECKING:
    from dq.compare import Noise
    from dq.store import Workspace
    from dq.study import StudyNoise


def noise(
    folder: TrainedWorkspace,
    ensembles: Annotated[
        bool, typer.Option("--ensembles", help="What the seeds of each arm say together: scores every model again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how much seeds spread, by size, budget and held-out set: what a margin and seeds can be chosen by.

    Example: dq noise dq-workspace
    """
    from dq.store import Workspace
    from dq.study import noise_of_workspace

    if ensembles:
        _show_ensembles(Workspace(folder), as_json=as_json)
        return
    found = noise_of_workspace(Workspace(folder))
    if as_json:
        show.json(found)
        return
    sizes = ["size"] if len({study.size for study in found}) > 1 else []
    rows = [_row(study, one, with_size=bool(sizes)) for study in found for one in study.noise]
    if not rows:
        show.line("no study of two arms and two seeds yet: `dq ablate` trains one")
        return
    *some, most = found[0].noise[0].detectable
    show.table(
        ("study", *sizes, "tokens", "set", "sd", "90 %", *map(str, some), str(most)),
        rows,
        align="l" * len(sizes) + "lrl" + "r" * (3 + len(some)),
        title="sd over seeds of a paired difference, and the smallest difference that "
        f"{', '.join(map(str, some))} and {most} seeds detect, bits per byte",
        more="sets",
    )


def _show_ensembles(workspace: Workspace, *, as_json: bool) -> None:
    from dq.study import ensembles_of_workspace

    with show.progress() as progress:
        found = ensembles_of_workspace(workspace, progress=progress)
    if as_json:
        show.json(found)
        return
    if not found:
        show.line("no arm of two seeds yet: `dq ablate` trains them")
        return
    several = len({one.budget_tokens for one in found}) > 1
    rows = [
        (
            f"{one.arm} {one.budget_tokens:,}" if several else one.arm,
            one.held_out_set,
            f"{one.seeds}",
            f"{one.mean:.4f}",
            f"{one.ensemble:.4f}",
            f"{one.gain:.4f}" + ("" if one.low is None else f" [{one.low:.3f}, {one.high:.3f}]"),
        )
        for one in found
    ]
    show.table(
        ("arm", "set", "seeds", "mean", "together", "gain"),
        rows,
        align="llrrrr",
        title="bits per byte: mean of an arm's seeds, their averaged probabilities, the gain with its 95 % interval",
        more="sets",
    )


def _row(study: StudyNoise, one: Noise, *, with_size: bool) -> tuple[str, ...]:
    return (
        f"{study.study} (cooldown)" if study.annealing else study.study,
        *([study.size] if with_size else []),
        f"{study.budget_tokens:,}",
        one.held_out_set,
        f"{one.sd:.4f}",
        f"{one.low:.3f}-{one.high:.3f}",
        *(f"{difference:.3f}" for difference in one.detectable.values()),
    )
