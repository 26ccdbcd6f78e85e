"""Run a study: manifests, then the runs that are not there yet, each in a worker process with one thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dq.errors import DqError, StoppedError, TrainingError
from dq.executors import QUIET, Executor, LocalExecutor, Progress, Step, WorkerDiedError
from dq.stages.base import View
from dq.stages.tokenizer import Tokenizer
from dq.store import Workspace
from dq.study.grid import REPEAT, PlannedRun
from dq.study.placing import Placing, place_runs
from dq.study.stacks import Stacks, most_of, plan_stacks
from dq.study.trunks import plan_trunks
from dq.training import RunFolder, has_tokenizer, read_run, save_tokenizer
from dq.variants import Manifest, Universe

MISSING = "missing"
WARM = "dq.training.warm"  # what workers import before they begin
DIED_ALONE = (
    "its worker dies even alone (killed, or out of memory); set a smaller `microbatch_windows`, or run the same "
    "command again"
)


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: as its folder says, or `MISSING`, with what kept it from being trained."""

    run: PlannedRun
    folder: Path
    status: str
    fault: DqError | None = None


def write_manifests(folder: Path, universe: Universe, runs: Sequence[PlannedRun]) -> dict[str, Manifest]:
    """Measure and write the manifest of every variant and control, a folder each, before anything is trained.

    Raises:
        BudgetError: a pool is too small.
    """
    variants = {run.arm: run.variant for run in runs if run.arm != REPEAT}
    seeds = {name: [run.spec.seed for run in runs if run.arm == name] for name in variants}
    return {name: variant.write_manifest(folder / name, universe, seeds[name]) for name, variant in variants.items()}


def train_runs(
    workspace: Workspace,
    runs: Sequence[PlannedRun],
    *,
    executor: Executor | None = None,
    device: str = "auto",
    devices_per_run: int = 1,
    stack: Stacks = 1,
    deadline: float | None = None,
    progress: Progress = QUIET,
) -> list[RunOutcome]:
    """Train the runs that have not finished; finished ones are read. Interrupted ones go on from their checkpoint.

    Without an executor, the device says how many run at a time. A run that cannot be trained is an outcome, and the
    others go on.

    Raises:
        StoppedError: the deadline came before all had finished.
    """
    folders = [RunFolder(workspace.run(run.run_id)) for run in runs]
    once = {run.run_id: run for run in runs}.values()  # arms that are the same run share it
    faults: dict[str, DqError] = {}
    with progress.step("train", unit="optimiser steps", total=sum(run.spec.steps for run in once)) as step:
        waiting = [run for run in once if not RunFolder(workspace.run(run.run_id)).status.exists()]
        step.advance(sum(run.spec.steps for run in once if run not in waiting))
        if waiting:
            largest = max((run.spec for run in waiting), key=lambda spec: spec.model_size.width)
            most = max(most_of(stack, run.spec.size) for run in waiting)
            placing = place_runs(device, spec=largest, devices_per_run=devices_per_run, stack=most)
            faults = _train(workspace, waiting, placing, stack=stack, executor=executor, deadline=deadline, step=step)
    unfinished = [folder for folder in folders if not folder.status.exists()]
    if left := [folder for folder in unfinished if folder.path.name not in faults]:
        raise StoppedError(
            f"stopped at the deadline with {len(folders) - len(left):,} of {len(folders):,} runs finished; "
            "the same command goes on from here"
        )
    tokenizer = View.of(workspace).open(Tokenizer)
    for run, folder in zip(runs, folders, strict=True):
        _add_tokenizer(run, folder, tokenizer)
    return [
        RunOutcome(run, folder.path, MISSING, faults[run.run_id]) if folder in unfinished else _outcome(run, folder)
        for run, folder in zip(runs, folders, strict=True)
    ]


def _outcome(run: PlannedRun, folder: RunFolder) -> RunOutcome:
    """How a run ended; its files are checked, whoever trained it and when."""
    record = read_run(folder.path)
    if record is None or record.spec != run.spec:
        raise TrainingError(f"{folder.path}: holds another run; delete the folder to run again")
    return RunOutcome(run, folder.path, record.status)


def _train(
    workspace: Workspace,
    runs: Sequence[PlannedRun],
    placing: Placing,
    *,
    stack: Stacks,
    executor: Executor | None,
    deadline: float | None,
    step: Step,
) -> dict[str, DqError]:
    """Train the runs, those that branch off others after these; what kept some from being trained, by their names.

    Runs of one shape are one program, as many as ``stack`` says at the most.

    Each tells how many optimiser steps it has done: fewer than before where it goes on from a checkpoint. After workers
    have died twice, each run that is left is tried by itself, with the memory of all: what dies then is at fault
    itself.
    """
    from dq.study.worker import RunFault, RunTask, train_run  # noqa: PLC0415  torch takes 2 s, and only runs need it

    done = defaultdict[str, float](float)
    faults: dict[str, DqError] = {}

    def hear(report: tuple[str, float] | RunFault) -> None:
        if isinstance(report, RunFault):
            faults[report.name] = report.error
            return
        name, steps = report
        step.advance(steps - done[name], detail=name)
        done[name] = steps

    trunks = plan_trunks(runs)

    def task_of(run: PlannedRun, number: int) -> RunTask:
        branches = tuple(task_of(one, number) for one in trunks.get(run.run_id, ()))
        folder = workspace.run(run.run_id)
        return RunTask(workspace.root, run.variant, run.spec, folder, run.sets, placing.of(number), deadline, branches)

    def together(group: Sequence[PlannedRun], number: int) -> RunTask:
        first, *others = (task_of(run, number) for run in group)
        return replace(first, beside=tuple(others))

    shared = {run.run_id for branches in trunks.values() for run in branches}
    executor = executor or LocalExecutor(placing.at_a_time)
    if placing.on_cpu:
        executor.prepare(WARM)

    def train(tasks: Sequence[RunTask]) -> None:
        executor.run(train_run, tasks, output=lambda task: task.output, on_report=hear, isolated=True, may_stop=True)

    stacks = plan_stacks(runs, most=stack, at_a_time=executor.workers)
    for is_branch in (False, True):
        part = [group for group in stacks if (group[0].run_id in shared) is is_branch]
        tasks = [together(group, number) for number, group in enumerate(part)]
        try:
            train(tasks)
        except WorkerDiedError:
            for task in (single for one in tasks for single in one.singles):
                try:
                    train([task])
                except WorkerDiedError:
                    faults[task.folder.name] = TrainingError(DIED_ALONE, field="microbatch_windows")
    return faults


def _add_tokenizer(run: PlannedRun, folder: RunFolder, tokenizer: Tokenizer) -> None:
    """A model folder that `from_pretrained` loads has its tokenizer beside it; folders of older versions get theirs."""
    if folder.model.exists() and not has_tokenizer(folder.model):
        bos, context = tokenizer.bos, run.spec.training.context
        save_tokenizer(folder.model, tokenizer.file, bos=bos.token, bos_id=bos.id, context=context)
