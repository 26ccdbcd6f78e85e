"""`dq runs`: what a workspace has trained and is training, and the curves of it all."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.log import duration
from dq.cli.options import AsJson, TrainedWorkspace

if TYPE_CHECKING:
    from dq.study import RunProgress, Runs

WATCH_SECONDS = 2.0
MAX_SETS = 2  # columns of bits per byte that 80 columns have room for


def runs(
    folder: TrainedWorkspace,
    curves: Annotated[
        Path | None, typer.Option("--curves", help="Write every evaluation of every run: FILE.csv or FILE.parquet.")
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            "--mirror",
            metavar="NAME=FOLDER",
            help="Send what is new in the curves to a folder of TensorBoard, trackio or Weights & Biases: "
            "tensorboard=FOLDER, trackio=FOLDER, wandb=FOLDER (offline). Once an option, as often as wanted.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Do it again and again while runs are at work.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs: how far each is, how fast, what it has reached, the time that is left.

    Example: dq runs dq-workspace --curves curves.csv
    """
    from dq.mirrors import open_mirrors
    from dq.store import Workspace
    from dq.study import list_runs

    workspace, mirrors = Workspace(folder), open_mirrors(mirror or ())
    again = watch and (show.at_terminal() or bool(mirrors))
    while True:
        found = list_runs(workspace)
        if curves is not None:
            found.write_curves(curves)
        going_on = again and any(run.status == "running" for run in found.runs)
        if not as_json and (show.at_terminal() or not going_on):
            _show(found)
        for one in mirrors:
            sent = one.send(found, project=folder.resolve().name)
            if not as_json:
                show.line(f"{one.folder}: {sent:,} evaluations sent to {one.module}")
        if not going_on:
            break
        time.sleep(WATCH_SECONDS)
        show.clear()
    if as_json:
        show.json(found)


def _show(found: Runs) -> None:
    sets = sorted({name for run in found.runs for name in run.bits_per_byte})[:MAX_SETS]
    budgets = ["of"] if len({run.budget_tokens for run in found.runs} - {0}) > 1 else []  # a name does not tell it
    unfinished_first = sorted(found.runs, key=lambda run: run.status == "complete")
    rows = [_row(run, sets, with_budget=bool(budgets)) for run in unfinished_first]
    show.table(
        ("run", "done", *budgets, "is", "tokens/s", "left", *sets),
        rows,
        align="lr" + "r" * len(budgets) + "lrr" + "r" * len(sets),
        title="bits per byte at the last evaluation, by held-out set" if sets else "",
        more="runs",
    )
    if len(states := Counter(run.status for run in found.runs)) > 1:
        show.line(f"runs: {', '.join(f'{count:,} {status}' for status, count in states.items())}")
    if found.evaluation_share is not None:
        show.line(f"held-out documents took {found.evaluation_share:.0%} of the time of all runs")


def _row(run: RunProgress, sets: list[str], *, with_budget: bool) -> tuple[str, ...]:
    return (
        run.run,
        f"{run.tokens_seen / run.budget_tokens:.0%}" if run.budget_tokens else "",
        *([f"{run.budget_tokens:,}"] if with_budget else []),
        run.status,
        f"{run.tokens_per_second:,.0f}" if run.tokens_per_second else "",
        duration(run.seconds_left) if run.seconds_left is not None else "",
        *(f"{run.bits_per_byte[name]:.3f}" if name in run.bits_per_byte else "" for name in sets),
    )
