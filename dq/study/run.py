"""From a study's configuration to its result."""

from __future__ import annotations

from dq.arguments import instance
from dq.errors import BudgetError, ConfigError, require_all
from dq.executors import QUIET, Executor, Progress, require_live_polars
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.store import Workspace, as_workspace
from dq.study.config import StudyConfig
from dq.study.grid import plan_grid
from dq.study.outcome import StudyResult, conclude, keep_result
from dq.study.runner import run_grid, write_manifests
from dq.variants import open_universe


def run_study(
    config: StudyConfig,
    workspace: Workspace,
    *,
    overwrite: bool = False,
    executor: Executor | None = None,
    device: str = "auto",
    progress: Progress = QUIET,
) -> StudyResult:
    """Train what is not trained yet, compare, and write the result. The same command goes on after any interruption.

    Args:
        config: of the study.
        workspace: that a job has finished.
        overwrite: replace the result of the same name and budget that other settings or another corpus have made.
        executor: runs what can be done at a time; default: processes, as many as the device takes (one a core on a
            CPU).
        device: where runs work: `auto`, `cpu`, `mps`, `cuda` (every GPU) or one of them, such as `cuda:1`.
        progress: hears of every run.

    Raises:
        BudgetError: a variant's pool is too small; nothing has been trained then.
        ConfigError: the workspace has no neutral held-out set to decide on.
        TrainingError: runs diverged, or there is no such device.
        WorkspaceError: the workspace is not finished, or a finished result would be lost.
    """
    require_live_polars()
    instance(config, StudyConfig, name="config", remedy="dq.config.load_yaml(path, StudyConfig) reads one")
    workspace = as_workspace(workspace)
    require_all(config.modules())
    workspace.existing()
    with workspace.lock():
        if not View.of(workspace).open(Heldout).neutral:
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
        outcomes = run_grid(workspace, runs, executor=executor, device=device, progress=progress)
        return conclude(config, workspace, outcomes, universe=universe, manifests=manifests)
