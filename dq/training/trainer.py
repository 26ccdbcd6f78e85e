"""One run, from initial weights to a run folder; readable top to bottom.

`train` is resumed by calling it again: it goes on from the checkpoint, or returns the finished run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dq.errors import StoppedError, TrainingError
from dq.executors import ON_CPU, QUIET, Placement, Progress
from dq.training.checkpoint import RunState
from dq.training.checks import check_folder, check_inputs, check_ledger
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.feed import Stretch, stretches, windows_of
from dq.training.memory import memory_told
from dq.training.program import Program, make_program
from dq.training.record import RunFolder, RunRecord, read_run
from dq.training.run import (
    Run,
    complete_run,
    finish_run,
    load_run,
    record_curve_points,
    save_run,
    sound_losses,
    start_run,
)
from dq.training.stream import HeldoutTokens, TokenStream
from dq.training.team import team_of
from dq.training.trunk import Branch, write_origin


def train(
    spec: RunSpec,
    stream: TokenStream,
    heldout: Sequence[HeldoutTokens],
    *,
    run_dir: Path,
    placement: Placement = ON_CPU,
    branches: Sequence[Branch] = (),
    deadline: float | None = None,
    progress: Progress = QUIET,
) -> RunRecord:
    """Train a model, evaluate it along the way, and leave everything in `run_dir`.

    A folder with a finished run of the same specification is returned as it is; one with a checkpoint is continued.
    A loss or gradient that is not finite, or a loss of ten times that of chance, ends the run as `diverged`: a recorded
    outcome, not an error. Progress is one step by the run folder's name, in optimiser steps; those that a checkpoint
    brings are told at once.

    Runs that share its first steps are `branches` (`dq.training.trunk`): where theirs part from it, each has the
    checkpoint, the ledger and the curve that it would have had alone, and `train` goes on with it from there.

    At `deadline`, in seconds as `time.time` counts them, a checkpoint is written and the run stops.

    Processes that share a run (`placement.world`) each call this with the same arguments; the first one writes.

    Raises:
        StoppedError: the deadline has come; the same call goes on from there.
        TrainingError: the folder holds another run, the stream is too short, nothing is held out, the device is not
            there or out of memory, or steps cannot be shared by so many processes.
        WorkerDiedError: another process that shares the run is gone.
        WorkspaceError: the folder cannot be written; what is in it stays, and the same call goes on.
    """
    folder = RunFolder(run_dir)
    check_inputs(spec, stream, heldout)
    check_folder(spec, folder)
    finished = read_run(run_dir)
    if finished is not None:
        return finished
    spec.training.windows_for(placement.world)
    with (
        working_on(placement) as device,
        team_of(placement, device=device) as team,
        memory_told(run_dir.name, spec.training, processes=placement.world),
    ):
        program = make_program(spec, device=device, team=team)
        run = start_run(spec, stream, heldout, folder=folder, program=program)
        return _train(run, branches, progress=progress, deadline=deadline)


def _train(run: Run, branches: Sequence[Branch], *, progress: Progress, deadline: float | None) -> RunRecord:
    spec = run.spec
    state, riders = _resumed(run, branches)
    evaluated, saved = run.evaluated_steps, run.saved_steps
    stops = saved.union(*(rider.stops for rider in riders))
    coming = stretches(state.step + 1, spec.steps, stops=stops, device=run.program.device)
    with progress.step(run.folder.path.name, unit="optimiser steps", total=spec.steps) as bar:
        bar.advance(state.step)
        started = time.perf_counter()
        with windows_of(spec, run.stream, coming, device=run.program.device) as fetched:
            for stretch, windows_SBT in fetched:
                losses_nats = _train_stretch(run, stretch, windows_SBT)
                if len(losses_nats) < len(stretch):
                    return finish_run(run, state, status="diverged", step=stretch.first + len(losses_nats))
                seconds = time.perf_counter() - started
                for one in (state, *(rider.state for rider in riders)):
                    one.advance(losses_nats, tokens_per_step=spec.training.tokens_per_step, seconds=seconds)
                due = [(run, state)] if state.step in evaluated and state.step < spec.steps else []
                record_curve_points([*due, *((one.run, one.state) for one in riders if state.step in one.evaluated)])
                is_time = deadline is not None and state.step < spec.steps and _is_over(deadline, run.program)
                is_saved = state.step in saved or is_time
                riders = _going_on(riders, of=run, save=is_saved)
                if is_saved:
                    save_run(run, state)
                bar.advance(len(stretch))
                if is_time:
                    raise StoppedError(f"{run.folder.path}: stopped at its deadline, at step {state.step:,}")
                started = time.perf_counter()
        return complete_run(run, state)


# --- runs that share the first steps ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Rider:
    """A branch as long as it has not parted, with all that it would have measured alone."""

    run: Run
    state: RunState

    @property
    def parts_at(self) -> int:
        """The last step that it shares."""
        return self.run.schedule.trunk_steps

    @property
    def evaluated(self) -> set[int]:
        """The shared steps after which it is evaluated."""
        return {step for step in self.run.schedule.evaluation_steps() if step <= self.parts_at}

    @property
    def stops(self) -> set[int]:
        """Steps after which something is done for it."""
        return self.evaluated | {self.parts_at}


def _resumed(run: Run, branches: Sequence[Branch]) -> tuple[RunState, list[_Rider]]:
    """How far the run is, and the branches that are exactly as far; others are trained alone from where they are."""
    begun = run.folder.checkpoint.exists()
    riders = []
    for branch in branches:
        folder = RunFolder(branch.run_dir)
        if folder.status.exists() or folder.checkpoint.exists() != begun:
            continue
        with suppress(TrainingError):  # a damaged branch is its own fault: it says so when it is gone on with
            check_folder(branch.spec, folder)
            rider = start_run(branch.spec, branch.stream, run.heldout, folder=folder, program=run.program)
            riders.append(_Rider(rider, load_run(rider)))
    state = load_run(run)  # last: its weights stay
    check_ledger(run.folder, state)
    return state, [one for one in riders if one.state.step == state.step < one.parts_at]


def _going_on(riders: Sequence[_Rider], *, of: Run, save: bool) -> list[_Rider]:
    """The riders that have not parted; those that part here, and on request all of them, leave their checkpoint."""
    for rider in riders:
        parts = rider.state.step == rider.parts_at
        if parts and of.program.team.is_first:
            write_origin(rider.run.folder.path, of.folder.path.name, state=rider.state)
        if parts or save:
            save_run(rider.run, rider.state)
    return [rider for rider in riders if rider.state.step < rider.parts_at]


# --- during ---------------------------------------------------------------------------------------------------------


def _train_stretch(run: Run, stretch: Stretch, windows_SBT: Tensor) -> list[float]:
    """Optimiser steps; the loss of each summed over its tokens, in nats, up to the first that has diverged.

    The device is asked once, when all its work is under way. Later steps have spoilt the model by then,
    which is of no use anyway: a diverged run keeps none.
    """
    measured = [
        run.program.step(windows_BT, learning_rate=run.schedule.learning_rate(step))
        for step, windows_BT in enumerate(windows_SBT.unbind(), start=stretch.first)
    ]
    return sound_losses(torch.stack(measured).tolist(), run.spec)


def _is_over(deadline: float, program: Program) -> bool:
    return program.team.any(time.time() >= deadline, device=program.device)
