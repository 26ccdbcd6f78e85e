"""From a study's configuration to its result, in every cell of its grid."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dq.arguments import instance, whole_number
from dq.compare import Comparison, Outcome
from dq.errors import ConfigError, TrainingError, require_all
from dq.executors import QUIET, Executor, Progress, require_live_polars
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.store import Workspace, as_workspace
from dq.study.cells import Cell, cells_of
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, PlannedRun, check_pools, fresh_runs, plan_grid
from dq.study.grid_result import CellResult, GridResult, cell_result, write_grid
from dq.study.outcome import (
    Finding,
    StudyResult,
    compare_runs,
    conclude,
    confirm_winner,
    diverged_runs,
    keep_result,
    missing_runs,
)
from dq.study.registered import Registered, register, register_cells
from dq.study.runner import RunOutcome, train_runs, write_manifests
from dq.study.stacks import Stacks
from dq.variants import Manifest, Universe, open_universe, rewrite_texts

Train = Callable[[Sequence[PlannedRun]], list[RunOutcome]]


def run_study(
    config: StudyConfig,
    workspace: Workspace,
    *,
    overwrite: bool = False,
    executor: Executor | None = None,
    device: str = "auto",
    devices_per_run: int = 1,
    stack: Stacks = 1,
    deadline_seconds: float | None = None,
    progress: Progress = QUIET,
) -> StudyResult:
    """Train what is not trained yet, compare, and write the result. The same command goes on after any interruption.

    With `looks`, variants that are decided at one of them get no more runs.

    Args:
        config: of the study, at one size, budget, rate and decay.
        workspace: that a job has finished.
        overwrite: replace the result of the same name and budget that other settings or another corpus have made.
        executor: runs what can be done at a time; default: processes, as many as the device takes (one a core on a
            CPU).
        device: where runs work: `auto`, `cpu`, `mps`, `cuda` (every GPU) or one of them, such as `cuda:1`.
        devices_per_run: GPUs that share a run, each with its part of every step's windows; on a CPU, cores.
        stack: runs of one shape and budget that are one program, at the most, or by size where `measure_stacks` finds a
            gain. Experimental.
        deadline_seconds: from now, after which runs leave a checkpoint and the study stops.
        progress: hears of every run.

    Raises:
        BudgetError: a variant's pool is too small; nothing has been trained then.
        ConfigError: the workspace has no neutral held-out set to decide on, or the study has several cells.
        StoppedError: the deadline came first; the same call goes on.
        TrainingError: runs of the baseline or of all variants diverged or could not be trained, or there is no such
            device.
        WorkspaceError: the workspace is not finished, or a finished result would be lost.
    """
    instance(config, StudyConfig, name="config", remedy="dq.config.load_yaml(path, StudyConfig) reads one")
    if len(cells_of(config)) > 1:
        raise ConfigError("this study has several sizes, budgets, rates or decays: dq.run_grid runs it", field="config")
    found = run_grid(
        config,
        workspace,
        overwrite=overwrite,
        executor=executor,
        device=device,
        devices_per_run=devices_per_run,
        stack=stack,
        deadline_seconds=deadline_seconds,
        progress=progress,
    )
    (cell,) = found.cells
    if cell.result is None:
        raise TrainingError(cell.failed)
    return cell.result


def run_grid(
    config: StudyConfig,
    workspace: Workspace,
    *,
    overwrite: bool = False,
    executor: Executor | None = None,
    device: str = "auto",
    devices_per_run: int = 1,
    stack: Stacks = 1,
    deadline_seconds: float | None = None,
    progress: Progress = QUIET,
) -> GridResult:
    """Run a study in every cell of its grid; arguments and errors as of `run_study`.

    A cell whose baseline diverged or could not be trained, or all of its variants, has no result and says so: the
    others have theirs.
    """
    deadline = None if deadline_seconds is None else time.time() + deadline_seconds
    require_live_polars()
    whole_number(devices_per_run, name="devices_per_run", least=1)
    for most in stack.values() if isinstance(stack, Mapping) else [stack]:
        whole_number(most, name="stack", least=1)
    instance(config, StudyConfig, name="config", remedy="dq.config.load_yaml(path, StudyConfig) reads one")
    workspace = as_workspace(workspace)
    require_all(config.modules())
    workspace.existing()
    with workspace.lock():
        neutral = View.of(workspace).open(Heldout).neutral
        if not neutral:
            raise ConfigError(f"{workspace.root}: no neutral held-out set; add one under `heldout.neutral` of the job")
        kinds = list(config.variants.values())
        rewrite_texts(View.of(workspace), kinds, executor=executor, progress=progress)
        universe = open_universe(workspace)
        cells = [_planned(cell, workspace, universe, overwrite=overwrite) for cell in cells_of(config)]
        for cell in cells:  # all of them can be trained: now the studies begin
            cell.registered = register(cell.folder, cell.config, neutral=neutral)
        folder, names = workspace.grid(config.name), [cell.folder.name for cell in cells]
        changes = register_cells(folder, names) if config.is_grid else ()
        train = partial(
            train_runs,
            workspace,
            executor=executor,
            device=device,
            devices_per_run=devices_per_run,
            stack=stack,
            deadline=deadline,
            progress=progress,
        )
        _until_decided(cells, neutral=neutral, train=train)
        _confirm(cells, train=train)
        results = tuple(_concluded(cell, universe) for cell in cells)
        found = GridResult(config=config, cells=results, changes=changes)
        if config.is_grid:
            write_grid(found, workspace)
        return found


@dataclass(eq=False)
class _Work:
    """A cell while its study runs."""

    cell: Cell
    folder: Path
    runs: list[PlannedRun]
    manifests: dict[str, Manifest]
    registered: Registered = field(init=False)
    going_on: set[str]
    """Arms that are trained further: at first all of them."""
    outcomes: list[RunOutcome] = field(default_factory=list)
    found: Finding | None = None
    failed: str = ""
    """Why nothing can be compared."""
    fresh: list[RunOutcome] = field(default_factory=list)
    confirmation: Comparison | None = None

    @property
    def config(self) -> StudyConfig:
        return self.cell.config


def _planned(cell: Cell, workspace: Workspace, universe: Universe, *, overwrite: bool) -> _Work:
    """Plan a cell's runs and measure its streams; nothing is trained."""
    config, folder = cell.config, cell.folder(workspace)
    runs = plan_grid(config, workspace, universe)
    if not overwrite:
        keep_result(folder, runs)
    check_pools(config, runs, universe)
    manifests = write_manifests(folder / "variants", universe, runs)
    return _Work(cell=cell, folder=folder, runs=runs, manifests=manifests, going_on={run.arm for run in runs})


def _until_decided(cells: Sequence[_Work], *, neutral: Sequence[str], train: Train) -> None:
    """Train up to a look, compare, and go on with the variants that are undecided, while looks are left.

    What all cells need up to a look is trained together, so that no core waits for the last run of a cell.
    """
    done = 0
    for seeds in cells[0].config.stops:
        wanted = [
            [run for run in cell.runs if run.arm in cell.going_on and done <= run.spec.seed < seeds] for cell in cells
        ]
        if not any(wanted):  # all is decided
            break
        _share_out(cells, train(_in_turn(wanted)), wanted=wanted)
        for cell in cells:
            if cell.going_on:
                _compare(cell, neutral=neutral, alone=len(cells) == 1)
        done = seeds


def _in_turn(wanted: Sequence[Sequence[PlannedRun]]) -> list[PlannedRun]:
    """The runs of all cells seed by seed, so that early results compare; of a seed the longest first."""
    if len(wanted) == 1:
        return list(wanted[0])
    runs = [run for of_cell in wanted for run in of_cell]
    return sorted(runs, key=lambda run: (run.spec.seed, -run.spec.budget_tokens * run.spec.model_size.width**2))


def _share_out(
    cells: Sequence[_Work], outcomes: Sequence[RunOutcome], *, wanted: Sequence[Sequence[PlannedRun]]
) -> None:
    by_run = {id(outcome.run): outcome for outcome in outcomes}
    for cell, runs in zip(cells, wanted, strict=True):
        cell.outcomes += [by_run[id(run)] for run in runs]


def _compare(cell: _Work, *, neutral: Sequence[str], alone: bool) -> None:
    outcomes = [one for one in cell.outcomes if one.run.arm != REPEAT]
    try:
        cell.found = compare_runs(cell.config, outcomes, neutral=neutral)
    except TrainingError as error:
        if alone:
            raise
        cell.found, cell.failed, cell.going_on = None, str(error), set()
        return
    undecided = cell.found.comparison.undecided
    cell.going_on = {cell.config.baseline, *undecided} if undecided else set()


def _confirm(cells: Sequence[_Work], *, train: Train) -> None:
    """The best of the better variants on fresh seeds, where the study asks for it."""
    winners = [_winner(cell) for cell in cells]
    wanted = [
        fresh_runs(cell.runs, [cell.config.baseline, winner], seeds=cell.config.confirm) if winner else []
        for cell, winner in zip(cells, winners, strict=True)
    ]
    if not any(wanted):
        return
    by_run = {id(outcome.run): outcome for outcome in train(_in_turn(wanted))}
    for cell, winner, runs in zip(cells, winners, wanted, strict=True):
        if winner and cell.found:
            cell.fresh = [by_run[id(run)] for run in runs]
            sets = cell.found.comparison.neutral_sets
            cell.confirmation = confirm_winner(cell.config, cell.fresh, winner=winner, sets=sets)


def _winner(cell: _Work) -> str | None:
    if not cell.config.confirm or cell.found is None:
        return None
    better = [one.neutral for one in cell.found.comparison.variants if one.verdict.outcome is Outcome.BETTER]
    return min(better, key=lambda one: one.difference).variant if better else None


def _concluded(cell: _Work, universe: Universe) -> CellResult:
    found = cell.found
    if found is None:
        return cell_result(cell.cell, cell.runs[0].spec, failed=cell.failed)
    outcomes = [*cell.outcomes, *cell.fresh]
    result = StudyResult(
        config=cell.config,
        comparison=found.comparison,
        controls=found.comparison.controls,
        losses=found.losses,
        points=found.points,
        runs=tuple(dict.fromkeys(one.folder.name for one in outcomes if one.fault is None)),
        manifests=cell.manifests,
        registered=cell.registered,
        confirmation=cell.confirmation,
        diverged=diverged_runs(outcomes),
        missing=missing_runs(cell.config, outcomes),
    )
    ended = [one for one in cell.outcomes if one.fault is None]
    repeated = [one for one in ended if one.run.arm in (cell.config.baseline, REPEAT) and one.run.spec.seed == 0]
    pair = (repeated[0], repeated[1]) if len(repeated) == 2 else None
    return cell_result(
        cell.cell, cell.runs[0].spec, result=conclude(result, cell.folder, universe=universe, repeated=pair)
    )
