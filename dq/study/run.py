"""From a study's configuration to its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from dq.arguments import instance
from dq.compare import Comparison, Outcome, StudyComparison
from dq.errors import BudgetError, ConfigError, require_all
from dq.executors import QUIET, Executor, Progress, require_live_polars
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.store import Workspace, as_workspace
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, PlannedRun, fresh_runs, plan_grid
from dq.study.outcome import Finding, StudyResult, compare_runs, conclude, confirm_winner, keep_result
from dq.study.registered import register
from dq.study.runner import RunOutcome, run_grid, write_manifests
from dq.variants import open_universe

Train = Callable[[Sequence[PlannedRun]], list[RunOutcome]]


def run_study(
    config: StudyConfig,
    workspace: Workspace,
    *,
    overwrite: bool = False,
    executor: Executor | None = None,
    device: str = "auto",
    deadline_seconds: float | None = None,
    progress: Progress = QUIET,
) -> StudyResult:
    """Train what is not trained yet, compare, and write the result. The same command goes on after any interruption.

    With `looks`, variants that are decided at one of them get no more runs.

    Args:
        config: of the study.
        workspace: that a job has finished.
        overwrite: replace the result of the same name and budget that other settings or another corpus have made.
        executor: runs what can be done at a time; default: processes, as many as the device takes (one a core on a
            CPU).
        device: where runs work: `auto`, `cpu`, `mps`, `cuda` (every GPU) or one of them, such as `cuda:1`.
        deadline_seconds: from now, after which runs leave a checkpoint and the study stops.
        progress: hears of every run.

    Raises:
        BudgetError: a variant's pool is too small; nothing has been trained then.
        ConfigError: the workspace has no neutral held-out set to decide on.
        StoppedError: the deadline came first; the same call goes on.
        TrainingError: runs of the baseline or of all variants diverged, or there is no such device.
        WorkspaceError: the workspace is not finished, or a finished result would be lost.
    """
    deadline = None if deadline_seconds is None else time.time() + deadline_seconds
    require_live_polars()
    instance(config, StudyConfig, name="config", remedy="dq.config.load_yaml(path, StudyConfig) reads one")
    workspace = as_workspace(workspace)
    require_all(config.modules())
    workspace.existing()
    with workspace.lock():
        neutral = View.of(workspace).open(Heldout).neutral
        if not neutral:
            raise ConfigError(f"{workspace.root}: no neutral held-out set; add one under `heldout.neutral` of the job")
        universe = open_universe(workspace)
        runs = plan_grid(config, workspace, universe)
        folder = workspace.study(config.name, config.budget_tokens)
        if not overwrite:
            keep_result(folder, runs)
        try:
            manifests = write_manifests(folder / "variants", universe, runs)
        except BudgetError as error:
            rounded = f"whole optimiser steps of {config.training.tokens_per_step:,} tokens"
            raise BudgetError(f"{error} (it is {config.budget_tokens:,}: {rounded})") from None
        registered = register(folder, config, neutral=neutral)
        train = partial(run_grid, workspace, executor=executor, device=device, deadline=deadline, progress=progress)
        outcomes, found = _until_decided(config, runs, neutral=neutral, train=train)
        fresh, confirmation = _confirmed(config, runs, found.comparison, train=train)
        result = StudyResult(
            config=config,
            comparison=found.comparison,
            controls=found.comparison.controls,
            losses=found.losses,
            points=found.points,
            runs=tuple(dict.fromkeys(one.folder.name for one in (*outcomes, *fresh))),
            manifests=manifests,
            registered=registered,
            confirmation=confirmation,
            diverged=found.diverged,
        )
        repeated = [one for one in outcomes if one.run.arm in (config.baseline, REPEAT) and one.run.spec.seed == 0]
        pair = (repeated[0], repeated[1]) if len(repeated) == 2 else None
        return conclude(result, workspace, universe=universe, repeated=pair)


def _until_decided(
    config: StudyConfig, runs: Sequence[PlannedRun], *, neutral: Sequence[str], train: Train
) -> tuple[list[RunOutcome], Finding]:
    """Train up to a look, compare, and go on with the variants that are undecided, while looks are left."""
    outcomes: list[RunOutcome] = []
    going_on, done, found = {run.arm for run in runs}, 0, None
    for seeds in config.stops:
        outcomes += train([run for run in runs if run.arm in going_on and done <= run.spec.seed < seeds])
        found = compare_runs(config, [one for one in outcomes if one.run.arm != REPEAT], neutral=neutral)
        if not found.comparison.undecided:
            break
        going_on, done = {config.baseline, *found.comparison.undecided}, seeds
    assert found is not None  # there is at least one number of seeds
    return outcomes, found


def _confirmed(
    config: StudyConfig, runs: Sequence[PlannedRun], comparison: StudyComparison, *, train: Train
) -> tuple[list[RunOutcome], Comparison | None]:
    """The best of the better variants on fresh seeds, where the study asks for it."""
    better = [one.neutral for one in comparison.variants if one.verdict.outcome is Outcome.BETTER]
    if not config.confirm or not better:
        return [], None
    winner = min(better, key=lambda one: one.difference).variant
    outcomes = train(fresh_runs(runs, [config.baseline, winner], seeds=config.confirm))
    return outcomes, confirm_winner(config, outcomes, winner=winner, sets=comparison.neutral_sets)
