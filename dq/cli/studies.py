"""`dq ablate` and `dq quickstart`: a study, its differences with their intervals, and its verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq.cli import show
from dq.cli.grids import CONTROL_STYLES, show_grid, show_grid_forecast, show_scoring, show_seeds, without_controls
from dq.cli.jobs import finish_job, show_job
from dq.cli.log import amount, duration
from dq.cli.options import (
    AsJson,
    BudgetTokens,
    Deadline,
    Device,
    DevicesPerRun,
    DryRun,
    Overwrite,
    Seeds,
    Stack,
    Workers,
    WorkspaceFolder,
    about_yaml,
    executor_of,
    seconds_of,
)

if TYPE_CHECKING:
    from dq.compare import Comparison, ControlOutcome, Interval, StudyComparison, VariantComparison
    from dq.study import StudyConfig, StudyForecast, StudyResult
    from dq.study.stacks import StackGain, Stacks

MAX_SETS = 12  # of a table; the report and --json have more
COLORS = {"better": "green", "worse": "red", "equivalent": "cyan"}
QUICKSTART_JOB, QUICKSTART_STUDY = "pipelines/quickstart.yaml", "ablations/quickstart.yaml"


def quickstart(
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    device: Device = "auto",
    budget_tokens: BudgetTokens = None,
    seeds: Seeds = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole chain on sample corpora: `run` and `ablate` on the two quickstart recipes.

    Example: dq quickstart
    """
    from dq.config import load_yaml
    from dq.errors import require_all
    from dq.jobs import JobConfig
    from dq.recipes import recipe_path
    from dq.report import MODULES
    from dq.study import StudyConfig

    job = load_yaml(recipe_path(QUICKSTART_JOB), JobConfig)
    study = _quick(load_yaml(recipe_path(QUICKSTART_STUDY), StudyConfig), budget_tokens, seeds)
    require_all({*job.modules(), *study.modules(), *MODULES})
    done = finish_job(job, workspace, executor_of("local", workers), overwrite=overwrite)
    if not as_json:
        show_job(done)
    _finish_study(study, workspace, workers, device=device, overwrite=overwrite, as_json=as_json)


def ablate(
    study: Annotated[Path, typer.Argument(help="A study such as ablations/quickstart.yaml.")],
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    device: Device = "auto",
    devices_per_run: DevicesPerRun = 1,
    stack: Stack = "1",
    budget_tokens: BudgetTokens = None,
    seeds: Seeds = None,
    deadline: Deadline = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train a study's grid and say which variant is better, by how much, how sure. Goes on after any interruption.

    With several sizes, budgets, rates or decays, every combination has verdicts of its own.

    Example: dq ablate ablations/quickstart.yaml --budget-tokens 50000
    """
    from dq.config import load_yaml
    from dq.study import StudyConfig

    config, stop_after = _quick(load_yaml(study, StudyConfig), budget_tokens, seeds), seconds_of(deadline)
    most = _stack_of(stack)
    if dry_run:
        _show_forecast(
            config,
            workspace,
            workers,
            device=device,
            devices_per_run=devices_per_run,
            stack=most,
            stop_after=stop_after,
            as_json=as_json,
        )
        return
    _finish_study(
        config,
        workspace,
        workers,
        device=device,
        devices_per_run=devices_per_run,
        stack=most or _stacks(config, workspace, workers, device=device, as_json=as_json),
        stop_after=stop_after,
        overwrite=overwrite,
        as_json=as_json,
    )


def _show_forecast(
    config: StudyConfig,
    workspace: Path | None,
    workers: int | None,
    *,
    device: str,
    devices_per_run: int,
    stack: int | None,
    stop_after: float | None,
    as_json: bool,
) -> None:
    """Runs, tokens, minutes and disk; with a deadline the share of the training that it leaves time for.

    The time is that of single runs; where stacks are to be measured, so they are.
    """
    from dq.store import Workspace
    from dq.study import forecast_grid

    place = Workspace(workspace or config.workspace)
    with about_yaml(type(config)):
        grid = forecast_grid(config, place, workers=workers, device=device, devices_per_run=devices_per_run)
    gains = None if stack else _measured_gains(config, workspace, workers, device=device)
    reached = 1.0 if stop_after is None else min(1.0, stop_after / max(grid.seconds, 1e-9))
    if as_json:
        found = grid if config.is_grid else grid.cells[0]
        deadline = {} if stop_after is None else {"share_at_deadline": reached}
        stacks = {} if gains is None else {"stacks": [gain.to_dict() for gain in gains]}
        show.json({**found.to_dict(), **deadline, **stacks})
        return
    if config.is_grid:
        show_grid_forecast(grid, config)
    else:
        _show_cell_forecast(config, grid.cells[0])
    if stop_after is not None:
        show.line(f"deadline: {duration(stop_after)} are enough for about {reached:.0%} of the training that is left")
    _show_gains(gains or ())
    alone = "stack: the time above is that of runs trained alone"
    if stack and stack > 1 and grid.seconds:
        show.line(f"{alone}; `--stack auto` measures whether stacks are faster", wrap=True)
    if any(gain.is_worth for gain in gains or ()):
        show.line(alone)


def _stack_of(stack: str) -> int | None:
    """Runs of a stack at the most; None where that is to be measured."""
    if stack == "auto":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,3}", stack):
        raise typer.BadParameter(f"{stack!r} is no number of runs; write it as 8, or auto", param_hint="--stack")
    return int(stack)


def _stacks(
    config: StudyConfig, workspace: Path | None, workers: int | None, *, device: str, as_json: bool
) -> dict[str, int]:
    """Runs of a stack by size, where stacks gain; it says what was measured, but for machines: folders of runs tell."""
    found = _measured_gains(config, workspace, workers, device=device)
    if not as_json:
        _show_gains(found)
    return {gain.size: gain.runs for gain in found if gain.is_worth}


def _measured_gains(
    config: StudyConfig, workspace: Path | None, workers: int | None, *, device: str
) -> tuple[StackGain, ...]:
    from dq.store import Workspace
    from dq.study import measure_stacks

    with about_yaml(type(config)):
        return measure_stacks(config, Workspace(workspace or config.workspace), workers=workers, device=device)


def _show_gains(gains: Sequence[StackGain]) -> None:
    for gain in gains:
        show.line(f"stack: {gain.summary}", wrap=True)


def _show_cell_forecast(config: StudyConfig, found: StudyForecast) -> None:
    """What a study of one size, budget, rate and decay would take and tell."""
    from dq.compare import MIN_SEEDS

    show.line(f"runs: {found.runs:,}, {found.runs_done:,} of them done; {found.tokens:,} tokens to train on")
    show.line(f"model: {config.size}, {found.parameters:,} parameters")
    if found.runs > found.runs_done:
        speed = f"{found.tokens_per_second:,.0f} tokens a second a run, {found.speed_is}"
        show.line(f"time: about {duration(found.seconds)} ({speed}; {found.at_a_time:,} at a time)")
        show_scoring(found, config)
        show.line(f"disk: {amount(found.disk_bytes, 'bytes')}")
    show_seeds(config)
    if found.seeds[-1] < MIN_SEEDS:
        show.line(f"smallest detectable difference: none, for a verdict needs {MIN_SEEDS} seeds at least")
    elif found.sd is None:
        show.line(
            "smallest detectable difference: unknown until seeds have been trained at this size (`dq noise`)", wrap=True
        )
    else:
        differences = ", ".join(f"{difference:.3g}" for difference in found.detectable)
        known = f"sd over seeds {found.sd:.3g}, by study {found.noise_of}"
        show.line(f"smallest detectable difference: {differences} bits per byte ({known})", wrap=True)


def _quick(config: StudyConfig, budget_tokens: int | None, seeds: int | None) -> StudyConfig:
    """The study at another budget or with other seeds, checked like the file itself."""
    from dq.config import checked

    changes: dict[str, Any] = {}
    if budget_tokens is not None:
        changes = {"budget_tokens": budget_tokens, "budgets_tokens": None}
    if seeds is not None:
        changes |= {"seeds": seeds, "looks": None, "look_errors": None}
    return checked(type(config), {**config.model_dump(), **changes}) if changes else config


def _finish_study(
    config: StudyConfig,
    workspace: Path | None,
    workers: int | None,
    *,
    device: str,
    devices_per_run: int = 1,
    stack: Stacks = 1,
    stop_after: float | None = None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train, compare, write the report, and say what was found."""
    from dq.errors import require_all
    from dq.executors import LocalExecutor
    from dq.report import MODULES, build_grid_report, build_report, check_reportable
    from dq.store import Workspace
    from dq.study import GridResult, run_grid, run_study

    require_all({*config.modules(), *MODULES})
    place, executor = Workspace(workspace or config.workspace), LocalExecutor(workers) if workers else None
    run = run_grid if config.is_grid else run_study
    check_reportable(place)
    with about_yaml(type(config)), show.progress() as progress:
        found = run(
            config,
            place,
            overwrite=overwrite,
            executor=executor,
            device=device,
            devices_per_run=devices_per_run,
            stack=stack,
            deadline_seconds=stop_after,
            progress=progress,
        )
    with place.lock():
        if isinstance(found, GridResult):
            report = build_grid_report(place, place.grid(config.name))
        else:
            report = build_report(place, place.study(config.name, config.budget_tokens))
    if as_json:
        show.json({**found.to_dict(), "report": str(report)})
        return
    if isinstance(found, GridResult):
        show_grid(found)
    else:
        _show_study(found)
    show.line(f"report: {report}")


def _show_study(result: StudyResult) -> None:
    """The comparison, fresh seeds of the best, controls, and what is not as it was fixed."""
    _show_comparison(result.comparison)
    if result.confirmed:
        show.line((result.confirmed, "bold"), wrap=True)
    _show_controls(result.controls, result.config)
    show.warnings(result.warnings)


def _show_comparison(comparison: StudyComparison) -> None:
    """Bits per byte and paired differences per variant and held-out set, then one verdict a variant."""
    neutral, shown = set(comparison.neutral_sets), _shown_sets(comparison)
    rows: list[tuple[str, ...]] = [
        (level.variant, _set_name(level.held_out_set, neutral), f"{level.bits_per_byte:.4f}", "", "")
        for level in comparison.levels
        if level.variant == comparison.baseline and level.held_out_set in shown
    ]
    for found in comparison.variants:
        by_set = [one for one in found.by_set if one.sets[0] in shown]
        by_set += [found.neutral] if len(neutral) > 1 else []
        rows += [(), *(_row(found.variant, row, neutral) for row in by_set)]
    show.table(
        ("variant", "held-out set", "level", "difference", "interval"),
        rows,
        align="llrrr",
        title=f"bits per byte, and the difference from {comparison.baseline} (below 0 is better)",
    )
    if hidden := len({level.held_out_set for level in comparison.levels}) - len(shown):
        show.line(f"and {hidden:,} more held-out sets of single sources: --json has them")
    _show_spreads(comparison)
    for found in comparison.variants:
        _show_verdict(found)
    for note in comparison.notes:
        show.line((f"note: {note}", "dim"), wrap=True)


def _show_spreads(comparison: StudyComparison) -> None:
    """How much seeds spread, arm by arm: what every interval rests on."""
    if comparison.spreads:
        shared = f"; shared {comparison.pooled_sd:.4f}" if comparison.pooled_sd is not None else ""
        arms = ", ".join(f"{one.arm} {one.sd:.4f}" for one in comparison.spreads)
        show.line(f"sd over seeds of a paired difference: {arms}{shared}", wrap=True)


def _shown_sets(comparison: StudyComparison) -> set[str]:
    """The neutral sets, and as many others as leave a table one screen."""
    neutral = comparison.neutral_sets
    others = sorted({level.held_out_set for level in comparison.levels} - set(neutral))
    return {*neutral, *others[: max(0, MAX_SETS - len(neutral))]}


def _row(variant: str, row: Comparison, neutral: set[str]) -> tuple[str, ...]:
    name = _set_name(row.sets[0], neutral) if len(row.sets) == 1 else "mean of neutral"
    interval = _bounds(row.family_interval) if row.family_interval else "too few seeds"
    return variant, name, f"{row.bits_per_byte:.4f}", f"{row.difference:+.4f}", interval


def _bounds(interval: Interval) -> str:
    return f"[{interval.low:+.4f}, {interval.high:+.4f}]"


def _set_name(name: str, neutral: set[str]) -> str:
    return f"{name} *" if name in neutral else name


def _show_verdict(found: VariantComparison) -> None:
    color, neutral = COLORS.get(found.verdict.outcome, "yellow"), found.neutral
    own, family, alone = neutral.interval, neutral.family_interval, ""
    if own and family and _bounds(own) != _bounds(family):  # a single variant is its own family
        alone = f"; alone, of its own spread: {100 * own.confidence:g} % {_bounds(own)}"
    seeds = f"{neutral.n_seeds} seed{'s' if neutral.n_seeds != 1 else ''}"
    seeds += f", next look at {found.next_look}" if found.next_look else ""
    show.line(
        (f"{found.variant}: ", "bold"),
        (found.summary, f"bold {color}"),
        f": {found.in_words} (on the neutral set *, {seeds}: {found.verdict.reason}{alone})",
        wrap=True,
    )


def _show_controls(controls: tuple[ControlOutcome, ...], config: StudyConfig) -> None:
    if len(controls) <= 1:
        show.line((without_controls(config), "yellow"), wrap=True)
    for control in controls:
        style = CONTROL_STYLES[control.status]
        show.line((f"control {control.kind}: {control.status}: {control.reason}", style), wrap=True)
