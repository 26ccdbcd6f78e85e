"""`dq runs`: what a workspace has trained and is training, and the curves of it all."""

from __future__ import annotations

import time
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
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again while runs are at work.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs: how far each is, how fast, what it has reached, the time that is left.

    Example: dq runs dq-workspace --curves curves.csv
    """
    from dq.store import Workspace
    from dq.study import list_runs

    found = list_runs(Workspace(folder))
    if curves is not None:
        found.write_curves(curves)
    if as_json:
        show.json(found)
        return
    _show(found)
    while watch and show.at_terminal() and any(run.status == "running" for run in found.runs):
        time.sleep(WATCH_SECONDS)
        found = list_runs(Workspace(folder))
        show.clear()
        _show(found)


def _show(found: Runs) -> None:
    sets = sorted({name for run in found.runs for name in run.bits_per_byte})[:MAX_SETS]
    budgets = ["of"] if len({run.budget_tokens for run in found.runs} - {0}) > 1 else []  # a name does not tell it
    rows = [_row(run, sets, with_budget=bool(budgets)) for run in found.runs]
    show.table(
        ("run", "done", *budgets, "is", "tokens/s", "left", *sets),
        rows,
        align="lr" + "r" * len(budgets) + "lrr" + "r" * len(sets),
        title="bits per byte at the last evaluation, by held-out set" if sets else "",
        more="runs",
    )


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
