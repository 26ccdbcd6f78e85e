"""One run, from initial weights to a run folder; readable top to bottom.

`train` is resumed by calling it again: it goes on from the checkpoint, or returns the finished run.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dq.errors import StoppedError, TrainingError
from dq.executors import ON_CPU, QUIET, Placement, Progress
from dq.store import read_parquet
from dq.store.files import write_json_atomic
from dq.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from dq.training.checks import check_folder, check_inputs, check_ledger
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.evaluation import DocumentLosses, evaluate
from dq.training.feed import Stretch, stretches, windows_of
from dq.training.hf import save_hf
from dq.training.memory import memory_told
from dq.training.program import Program, make_program
from dq.training.record import (
    DOCUMENTS_SCHEMA,
    LEDGER_SCHEMA,
    TIMING_SCHEMA,
    RunFolder,
    RunRecord,
    RunStatus,
    read_run,
    write_table,
)
from dq.training.schedule import Schedule
from dq.training.stream import HeldoutTokens, TokenStream
from dq.training.team import team_of
from dq.training.trunk import Branch, write_origin


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same from the first step to the last."""

    spec: RunSpec
    schedule: Schedule
    stream: TokenStream
    heldout: Sequence[HeldoutTokens]
    folder: RunFolder
    program: Program


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
    A loss or gradient that is not finite ends the run as `diverged`: a recorded outcome, not an error. Progress is one
    step by the run folder's name, in optimiser steps; those that a checkpoint brings are told at once.

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
        run = _start(spec, stream, heldout, folder=folder, program=program)
        return _train(run, branches, progress=progress, deadline=deadline)


def _train(run: _Run, branches: Sequence[Branch], *, progress: Progress, deadline: float | None) -> RunRecord:
    spec = run.spec
    state, riders = _resumed(run, branches)
    evaluated = set(run.schedule.evaluation_steps())
    saved = evaluated | set(range(0, spec.steps + 1, spec.training.checkpoint_every_steps))
    stops = saved.union(*(rider.stops for rider in riders))
    coming = stretches(state.step + 1, spec.steps, stops=stops, device=run.program.device)
    with progress.step(run.folder.path.name, unit="optimiser steps", total=spec.steps) as bar:
        bar.advance(state.step)
        started = time.perf_counter()
        with windows_of(spec, run.stream, coming, device=run.program.device) as fetched:
            for stretch, windows_SBT in fetched:
                losses_nats = _train_stretch(run, stretch, windows_SBT)
                if len(losses_nats) < len(stretch):
                    return _finish(run, state, status="diverged", step=stretch.first + len(losses_nats))
                seconds = time.perf_counter() - started
                for one in (state, *(rider.state for rider in riders)):
                    one.advance(losses_nats, tokens_per_step=spec.training.tokens_per_step, seconds=seconds)
                due = [(run, state)] if state.step in evaluated and state.step < spec.steps else []
                _record_curve_points([*due, *((one.run, one.state) for one in riders if state.step in one.evaluated)])
                is_time = deadline is not None and state.step < spec.steps and _is_over(deadline, run.program)
                is_saved = state.step in saved or is_time
                riders = _going_on(riders, of=run, save=is_saved)
                if is_saved:
                    _save(run, state)
                bar.advance(len(stretch))
                if is_time:
                    raise StoppedError(f"{run.folder.path}: stopped at its deadline, at step {state.step:,}")
                started = time.perf_counter()
        _record_final_point(run, state)
        if run.program.team.is_first:
            save_hf(run.program.model, run.folder.model, bos_id=spec.bos_id)
    return _finish(run, state, status="complete", step=state.step)


# --- before ---------------------------------------------------------------------------------------------------------


def _start(
    spec: RunSpec, stream: TokenStream, heldout: Sequence[HeldoutTokens], *, folder: RunFolder, program: Program
) -> _Run:
    config, size = spec.resolved_training, spec.model_size
    parameters = size.parameters(spec.vocabulary_size)
    facts: dict[str, Any] = {
        "spec": spec.model_dump(mode="json"),
        "budget_tokens": spec.budget_tokens,
        "training": config.model_dump(mode="json"),
        "device": program.device.type,
        "precision": program.precision,
        "compiled": program.is_compiled,
        "parameters": parameters.total,
        "embedding_parameters": parameters.embedding,
        "non_embedding_parameters": parameters.non_embedding,
        "flops_per_token": size.flops_per_token(vocabulary_size=spec.vocabulary_size, context=config.context),
        "torch": torch.__version__,
    }
    if program.team.world > 1:  # said only where it is so: files of a run alone stay as older versions wrote them
        facts["processes"] = program.team.world
    if program.team.is_first:
        folder.path.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder.config, facts)
    return _Run(
        spec=spec,
        schedule=Schedule(config=config, steps=spec.steps),
        stream=stream,
        heldout=heldout,
        folder=folder,
        program=program,
    )


# --- runs that share the first steps ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Rider:
    """A branch as long as it has not parted, with all that it would have measured alone."""

    run: _Run
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


def _resumed(run: _Run, branches: Sequence[Branch]) -> tuple[RunState, list[_Rider]]:
    """How far the run is, and the branches that are exactly as far; others are trained alone from where they are."""
    begun = run.folder.checkpoint.exists()
    riders = []
    for branch in branches:
        folder = RunFolder(branch.run_dir)
        if folder.status.exists() or folder.checkpoint.exists() != begun:
            continue
        with suppress(TrainingError):  # a damaged branch is its own fault: it says so when it is gone on with
            check_folder(branch.spec, folder)
            rider = _start(branch.spec, branch.stream, run.heldout, folder=folder, program=run.program)
            riders.append(_Rider(rider, _load(rider)))
    state = _load(run)  # last: its weights stay
    check_ledger(run.folder, state)
    return state, [one for one in riders if one.state.step == state.step < one.parts_at]


def _going_on(riders: Sequence[_Rider], *, of: _Run, save: bool) -> list[_Rider]:
    """The riders that have not parted; those that part here, and on request all of them, leave their checkpoint."""
    for rider in riders:
        parts = rider.state.step == rider.parts_at
        if parts and of.program.team.is_first:
            write_origin(rider.run.folder.path, of.folder.path.name, state=rider.state)
        if parts or save:
            _save(rider.run, rider.state)
    return [rider for rider in riders if rider.state.step < rider.parts_at]


def _load(run: _Run) -> RunState:
    program = run.program
    found = load_checkpoint(
        run.folder.checkpoint, program.model, program.optimizer, spec=run.spec, schedule=run.schedule
    )
    return found or RunState()


def _save(run: _Run, state: RunState) -> None:
    if run.program.team.is_first:
        save_checkpoint(run.folder.checkpoint, run.program.model, run.program.optimizer, state=state, spec=run.spec)


# --- during ---------------------------------------------------------------------------------------------------------


def _train_stretch(run: _Run, stretch: Stretch, windows_SBT: Tensor) -> list[float]:
    """Optimiser steps; the loss of each summed over its tokens, in nats, up to the first that is not finite.

    The device is asked once, when all its work is under way. Steps that are not finite have spoilt the model by then,
    which is of no use anyway: a diverged run keeps none.
    """
    measured = [
        run.program.step(windows_BT, learning_rate=run.schedule.learning_rate(step))
        for step, windows_BT in enumerate(windows_SBT.unbind(), start=stretch.first)
    ]
    finite = takewhile(lambda step: all(map(math.isfinite, step)), torch.stack(measured).tolist())
    return [sum(losses_nats) for *losses_nats, _gradient_norm in finite]


def _is_over(deadline: float, program: Program) -> bool:
    return program.team.any(time.time() >= deadline, device=program.device)


# --- records --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Point:
    """The losses of one set or subset at one step."""

    subset: str
    heldout: HeldoutTokens
    losses: DocumentLosses


def _record_curve_points(due: Sequence[tuple[_Run, RunState]]) -> None:
    """Evaluate the fixed tenth of each set, once for all runs that are due, and record it for each."""
    if not due:
        return
    started, (run, _) = time.perf_counter(), due[0]
    tenths = [heldout_set.select(heldout_set.curve_documents()) for heldout_set in run.heldout]
    points = [_Point("tenth", tenth, _evaluate(run, tenth)) for tenth in tenths]
    seconds = time.perf_counter() - started
    for one, state in due:
        _record(one, state, points, evaluation_seconds=seconds)


def _record_final_point(run: _Run, state: RunState) -> None:
    """Evaluate every document; the tenths are taken out of the same losses."""
    started = time.perf_counter()
    points = []
    for heldout_set in run.heldout:
        losses, chosen = _evaluate(run, heldout_set), heldout_set.curve_documents()
        tenth_losses = DocumentLosses(losses.loss_nats[chosen], losses.n_tokens[chosen])
        points.append(_Point("tenth", heldout_set.select(chosen), tenth_losses))
        points.append(_Point("all", heldout_set, losses))
    _record(run, state, points, evaluation_seconds=time.perf_counter() - started)
    if run.program.team.is_first:
        rows = [row for point in points if point.subset == "all" for row in _document_rows(point)]
        write_table(run.folder.documents, rows, schema=DOCUMENTS_SCHEMA)


def _evaluate(run: _Run, heldout_set: HeldoutTokens) -> DocumentLosses:
    program = run.program
    return evaluate(program.model, heldout_set, bos_id=run.spec.bos_id, precision=program.precision, team=program.team)


def _record(run: _Run, state: RunState, points: list[_Point], *, evaluation_seconds: float) -> None:
    """Add an evaluation to the ledger and the timing table, and start the next interval."""
    step, tokens_seen = state.step, state.step * run.spec.training.tokens_per_step
    shared: dict[str, Any] = {
        "step": step,
        "tokens_seen": tokens_seen,
        "unique_tokens_seen": int(run.stream.unique_tokens(tokens_seen)),
        "epoch": float(run.stream.epoch(tokens_seen)),
        "phase": run.schedule.phase(step),
        "learning_rate": run.schedule.learning_rate(step),
        "train_loss_nats": state.pending_loss_nats / state.pending_tokens,
    }
    state.ledger.extend(shared | _measured(point) for point in points)
    timing = {
        "step": step,
        "training_seconds": state.pending_seconds,
        "evaluation_seconds": evaluation_seconds,
        "tokens_per_second": state.pending_tokens / state.pending_seconds,
    }
    state.timing.append(timing)
    if run.program.team.is_first:
        _write_tables(run.folder, state)  # the curve so far, for whoever watches
    state.pending_loss_nats, state.pending_tokens, state.pending_seconds = 0.0, 0, 0.0


def _write_tables(folder: RunFolder, state: RunState) -> None:
    write_table(folder.ledger, state.ledger, schema=LEDGER_SCHEMA)
    write_table(folder.timing, state.timing, schema=TIMING_SCHEMA)


def _measured(point: _Point) -> dict[str, Any]:
    loss_nats, n_bytes = float(point.losses.loss_nats.sum()), int(point.heldout.n_bytes.sum())
    return {
        "set": point.heldout.name,
        "subset": point.subset,
        "n_documents": len(point.heldout.documents),
        "n_bytes": n_bytes,
        "n_tokens": int(point.losses.n_tokens.sum()),
        "loss_nats": loss_nats,
        "bits_per_byte": loss_nats / math.log(2) / n_bytes,
    }


def _document_rows(point: _Point) -> list[dict[str, Any]]:
    columns = (point.heldout.documents, point.heldout.n_bytes, point.losses.n_tokens, point.losses.loss_nats)
    return [
        {"set": point.heldout.name, "document": document, "n_bytes": n_bytes, "n_tokens": n_tokens, "loss_nats": loss}
        for document, n_bytes, n_tokens, loss in zip(*columns, strict=True)
    ]


def _finish(run: _Run, state: RunState, *, status: RunStatus, step: int) -> RunRecord:
    """Write the tables, then the status; only then is the checkpoint of no more use."""
    folder = run.folder
    if run.program.team.is_first:
        _write_tables(folder, state)
        if status == "diverged":
            write_table(folder.documents, [], schema=DOCUMENTS_SCHEMA)
        write_json_atomic(folder.status, {"status": status, "step": step, "files": folder.digests()})
        shutil.rmtree(folder.checkpoint, ignore_errors=True)
    run.program.team.wait()
    return RunRecord(
        run_dir=folder.path,
        spec=run.spec,
        status=status,
        step=step,
        precision=run.program.precision,
        device=run.program.device.type,
        processes=run.program.team.world,
        ledger=read_parquet(folder.ledger),
        documents=read_parquet(folder.documents),
    )
