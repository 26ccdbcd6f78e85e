"""Runs of one shape, trained as one program (`dq.training.stack`): each has the folder that it would have alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from dq.errors import StoppedError, TrainingError
from dq.executors import ON_CPU, QUIET, Placement, Progress
from dq.training.checkpoint import RunState, saved_step
from dq.training.checks import check_folder, check_inputs, check_ledger
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.feed import Stretch, stretches, windows_of
from dq.training.memory import memory_told
from dq.training.program import make_program
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
from dq.training.stack import Stack
from dq.training.stream import HeldoutTokens, TokenStream
from dq.training.trainer import train


@dataclass(frozen=True, eq=False)
class StackedRun:
    """A run of a stack."""

    spec: RunSpec
    stream: TokenStream
    run_dir: Path


def train_stack(
    members: Sequence[StackedRun],
    heldout: Sequence[HeldoutTokens],
    *,
    placement: Placement = ON_CPU,
    deadline: float | None = None,
    progress: Progress = QUIET,
) -> list[RunRecord]:
    """Train several runs together; of each, what `dq.training.trainer.train` does alone, to rounding.

    Those that have ended are returned as they are. The others go on with those that are as far as they are: where a
    kill came between two checkpoints, there are two stacks from then on. One that diverges ends, and the others go on;
    where the stack is compiled, its place stays, for compiling again would take longer.

    Raises:
        StoppedError: the deadline has come; the same call goes on from there, and so does `train` with each.
        TrainingError: as of `train`, for any of the runs; or they are not of one shape.
        WorkspaceError: as of `train`.
    """
    if any(member.spec.shape != members[0].spec.shape for member in members):
        raise TrainingError("runs of a stack may differ in seed, stream, rate, decay, clipping and betas alone")
    as_far: dict[int, list[StackedRun]] = defaultdict(list)
    for member in members:
        folder = RunFolder(member.run_dir)
        check_inputs(member.spec, member.stream, heldout)
        check_folder(member.spec, folder)
        if read_run(member.run_dir) is None:
            as_far[saved_step(folder.checkpoint)].append(member)
    for group in as_far.values():
        if len(group) == 1:
            (one,) = group
            train(
                one.spec,
                one.stream,
                heldout,
                run_dir=one.run_dir,
                placement=placement,
                deadline=deadline,
                progress=progress,
            )
            continue
        with (
            working_on(placement) as device,
            memory_told(group[0].run_dir.name, group[0].spec.training, processes=1),
        ):
            rows = [_begin(member, heldout, of=len(group), device=device) for member in group]
            _train(rows, deadline=deadline, progress=progress)
    return [record for member in members if (record := read_run(member.run_dir))]


@dataclass(frozen=True, eq=False)
class _Row:
    """A run of the stack, and how far it is."""

    run: Run
    state: RunState

    def goes_on(self, stretch: Stretch, losses_nats: Sequence[float], *, seconds: float, runs: int) -> bool:
        """Count a stretch and evaluate where it is time; False where the run has diverged and ends."""
        if len(losses_nats) < len(stretch):
            finish_run(self.run, self.state, status="diverged", step=stretch.first + len(losses_nats))
            return False
        spec = self.run.spec
        self.state.advance(losses_nats, tokens_per_step=spec.training.tokens_per_step, seconds=seconds, runs=runs)
        if stretch.last in self.run.evaluated_steps and stretch.last < spec.steps:
            record_curve_points([(self.run, self.state)])
        return True


def _begin(member: StackedRun, heldout: Sequence[HeldoutTokens], *, of: int, device: torch.device) -> _Row:
    program = replace(make_program(member.spec, device=device), stacked=of)
    run = start_run(member.spec, member.stream, heldout, folder=RunFolder(member.run_dir), program=program)
    state = load_run(run)
    check_ledger(run.folder, state)
    return _Row(run, state)


def _train(rows: Sequence[_Row], *, deadline: float | None, progress: Progress) -> None:
    """The loop of a single run, but that what follows a step is done for each run that has not diverged."""
    begun, first = rows[0].state.step, rows[0].run
    last, device = first.spec.steps, first.program.device
    stack, sound = Stack([row.run.program for row in rows], done=begun), list(rows)
    coming = stretches(begun + 1, last, stops=first.saved_steps, device=device)
    with ExitStack() as opened:
        names = [row.run.folder.path.name for row in rows]
        bars = [opened.enter_context(progress.step(name, unit="optimiser steps", total=last)) for name in names]
        feeds = {row: windows_of(row.run.spec, row.run.stream, coming, device=device) for row in rows}
        fed = {row: opened.enter_context(feed) for row, feed in feeds.items()}
        for bar in bars:
            bar.advance(begun)
        started = time.perf_counter()
        for stretch in coming:
            windows_SRBT = torch.stack([next(fed[row])[1] for row in rows], dim=1)
            losses_nats = dict(zip(rows, _train_stretch(stack, rows, stretch, windows_SRBT), strict=True))
            seconds, runs = time.perf_counter() - started, len(sound)
            sound = [row for row in sound if row.goes_on(stretch, losses_nats[row], seconds=seconds, runs=runs)]
            if sound and len(sound) < len(rows) and not first.program.is_compiled:  # what has diverged costs no more
                rows, stack = sound, Stack([row.run.program for row in sound], done=stretch.last)
            is_time = deadline is not None and stretch.last < last and time.time() >= deadline
            if stretch.last in first.saved_steps or is_time:
                _save(stack, sound)
            for bar in bars:
                bar.advance(len(stretch))
            if not sound:
                return
            if is_time:
                raise StoppedError(f"{first.folder.path}: stopped at its deadline, at step {stretch.last:,}")
            started = time.perf_counter()
        for row in sound:
            complete_run(row.run, row.state)


def _train_stretch(stack: Stack, rows: Sequence[_Row], stretch: Stretch, windows_SRBT: Tensor) -> list[list[float]]:  # noqa: PLR0917
    """Optimiser steps of all runs; the losses of each, up to the first at which it has diverged."""
    schedules, steps = [row.run.schedule for row in rows], range(stretch.first, stretch.last + 1)
    rates_SR = torch.tensor([[schedule.learning_rate(step) for schedule in schedules] for step in steps])
    rates_SR = rates_SR.to(windows_SRBT.device)
    measured = [
        stack.step(windows_RBT, learning_rate_R=rates_R)
        for windows_RBT, rates_R in zip(windows_SRBT, rates_SR, strict=True)
    ]
    of_runs = zip(torch.stack(measured, dim=1).tolist(), rows, strict=True)
    return [sound_losses(of_run, row.run.spec) for of_run, row in of_runs]


def _save(stack: Stack, rows: Sequence[_Row]) -> None:
    stack.hand_back()
    for row in rows:
        save_run(row.run, row.state)
