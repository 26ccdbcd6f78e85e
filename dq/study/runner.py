"""Run a study: manifests, then the runs that are not there yet, each in a worker process with one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dq import training
from dq.executors import report, run_tasks
from dq.stages.base import View
from dq.stages.tokens import TokenPool
from dq.store import FolderLock, Workspace, read_json, write_bytes_atomic
from dq.study.grid import Arm, PlannedRun
from dq.study.heldout_tokens import tokenized_sets
from dq.training import RunSpec
from dq.variants import Manifest, Universe, Variant, open_universe

__all__ = ["RunOutcome", "run_grid", "write_manifests"]

Progress = Callable[[str, int, int], None]
"""Called with what is being trained, the number of finished optimiser steps and their total."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    run: PlannedRun
    folder: Path
    status: str


@dataclass(frozen=True)
class _RunTask:
    workspace: Path
    variant: Variant
    spec: RunSpec
    folder: Path


def write_manifests(workspace: Workspace, universe: Universe, runs: Sequence[PlannedRun]) -> dict[str, Manifest]:
    """Measure and write every arm's manifest before anything is trained.

    Raises:
        BudgetError: a pool is too small.
    """
    arms: dict[str, Arm] = {run.arm.name: run.arm for run in runs}
    return {
        name: arm.variant.write_manifest(workspace.variant(name), universe, arm.seeds) for name, arm in arms.items()
    }


def run_grid(
    workspace: Workspace, runs: Sequence[PlannedRun], *, workers: int, on_progress: Progress | None = None
) -> list[RunOutcome]:
    """Train the runs that have not finished; finished ones are read. Interrupted ones go on from their checkpoint."""
    tasks = [_RunTask(workspace.root, run.arm.variant, run.spec, workspace.run(run.run_id)) for run in runs]
    open_tasks = [task for task in tasks if not _finished(task.folder)]
    steps = {task.folder.name: task.spec.steps if task not in open_tasks else 0 for task in tasks}
    total = sum(task.spec.steps for task in tasks)

    def advance(report: tuple[str, int]) -> None:
        steps[report[0]] = report[1]
        if on_progress is not None:
            on_progress(report[0], sum(steps.values()), total)

    if on_progress is not None:
        on_progress("", sum(steps.values()), total)
    run_tasks(_train, open_tasks, workers=workers, preload=["dq.training.worker"], on_report=advance, always_fork=True)
    for task in tasks:
        _add_tokenizer(task.folder, workspace.tokenizer() / "tokenizer.json")
    return [
        RunOutcome(run, task.folder, str(read_json(task.folder / "status.json")["status"]))
        for run, task in zip(runs, tasks, strict=True)
    ]


def _finished(folder: Path) -> bool:
    return (folder / "status.json").exists()


def _reporter(name: str) -> Callable[[int, int], None]:
    """Report about fifty times a run."""

    def on_step(step: int, steps: int) -> None:
        if step == steps or step % max(1, steps // 50) == 0:
            report((name, step))

    return on_step


def _add_tokenizer(folder: Path, tokenizer: Path) -> None:
    """A model folder that `from_pretrained` loads has its tokenizer beside it."""
    target = folder / "model" / "tokenizer.json"
    if target.parent.exists() and not target.exists():
        write_bytes_atomic(target, tokenizer.read_bytes())


def _train(task: _RunTask) -> str:
    """In a worker: open the workspace, make the stream, train. Only here is torch loaded."""
    workspace = Workspace(task.workspace)
    universe, pool = open_universe(workspace), View.of(workspace).open(TokenPool)
    stream = task.variant.stream(
        universe,
        pool,
        context=task.spec.training.context,
        seed=task.spec.seed,
        vocabulary_size=task.spec.vocabulary_size,
    )
    with FolderLock(task.folder):
        record = training.train_in_worker(
            task.spec, stream, tokenized_sets(workspace), run_dir=task.folder, on_progress=_reporter(task.folder.name)
        )
    return record.status
