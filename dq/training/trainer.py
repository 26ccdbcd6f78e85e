"""One run, from initial weights to a run folder; readable top to bottom.

`train` is resumed by calling it again: it goes on from the checkpoint, or returns the finished run.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from dq.errors import StoppedError, TrainingError, WorkspaceError, cause_of
from dq.executors import ON_CPU, QUIET, Placement, Progress
from dq.store import read_parquet
from dq.store.files import write_json_atomic
from dq.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from dq.training.config import RunSpec
from dq.training.device import working_on
from dq.training.evaluation import DocumentLosses, evaluate
from dq.training.feed import Stretch, stretches, windows_of
from dq.training.hf import save_hf
from dq.training.program import Program, make_program
from dq.training.record import (
    DOCUMENTS_SCHEMA,
    LEDGER_SCHEMA,
    TIMING_SCHEMA,
    RunFolder,
    RunRecord,
    RunStatus,
    read_run,
    read_spec,
    write_table,
)
from dq.training.schedule import Schedule
from dq.training.stream import HeldoutTokens, TokenStream


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
    deadline: float | None = None,
    progress: Progress = QUIET,
) -> RunRecord:
    """Train a model, evaluate it along the way, and leave everything in `run_dir`.

    A folder with a finished run of the same specification is returned as it is; one with a checkpoint is continued.
    A loss or gradient that is not finite ends the run as `diverged`: a recorded outcome, not an error. Progress is one
    step by the run folder's name, in optimiser steps; those that a checkpoint brings are told at once.

    At `deadline`, in seconds as `time.time` counts them, a checkpoint is written and the run stops.

    Raises:
        StoppedError: the deadline has come; the same call goes on from there.
        TrainingError: the folder holds another run, the stream is too short, nothing is held out, or the device is
            not there.
    """
    folder = RunFolder(run_dir)
    _check_inputs(spec, stream, heldout)
    _check_folder(spec, folder)
    finished = read_run(run_dir)
    if finished is not None:
        return finished
    with working_on(placement) as device:
        return _train(_start(spec, stream, heldout, folder=folder, device=device), progress, deadline=deadline)


def _train(run: _Run, progress: Progress, *, deadline: float | None) -> RunRecord:
    spec, checkpoint = run.spec, run.folder.checkpoint
    state = (
        load_checkpoint(checkpoint, run.program.model, run.program.optimizer, spec=spec, schedule=run.schedule)
        or RunState()
    )
    _check_ledger(run.folder, state)
    evaluated = set(run.schedule.evaluation_steps())
    saved = evaluated | set(range(0, spec.steps + 1, spec.training.checkpoint_every_steps))
    coming = stretches(state.step + 1, spec.steps, stops=saved, device=run.program.device)
    with progress.step(run.folder.path.name, unit="optimiser steps", total=spec.steps) as bar:
        bar.advance(state.step)
        started = time.perf_counter()
        with windows_of(spec, run.stream, coming, device=run.program.device) as fetched:
            for stretch, windows_SBT in fetched:
                losses_nats = _train_stretch(run, stretch, windows_SBT)
                if len(losses_nats) < len(stretch):
                    return _finish(run, state, status="diverged", step=stretch.first + len(losses_nats))
                state.step = stretch.last
                state.pending_loss_nats += sum(losses_nats)
                state.pending_tokens += spec.training.tokens_per_step * len(stretch)
                state.pending_seconds += time.perf_counter() - started
                if state.step in evaluated and state.step < spec.steps:
                    _record_curve_point(run, state)
                is_time = deadline is not None and time.time() >= deadline and state.step < spec.steps
                if state.step in saved or is_time:
                    save_checkpoint(checkpoint, run.program.model, run.program.optimizer, state=state, spec=spec)
                bar.advance(len(stretch))
                if is_time:
                    raise StoppedError(f"{run.folder.path}: stopped at its deadline, at step {state.step:,}")
                started = time.perf_counter()
        _record_final_point(run, state)
        save_hf(run.program.model, run.folder.model, bos_id=spec.bos_id)
    return _finish(run, state, status="complete", step=state.step)


# --- before ---------------------------------------------------------------------------------------------------------


def _check_inputs(spec: RunSpec, stream: TokenStream, heldout: Sequence[HeldoutTokens]) -> None:
    if stream.n_tokens < spec.budget_tokens:
        raise TrainingError(
            f"seed {spec.seed}: the stream has {stream.n_tokens:,} tokens and the run needs "
            f"{spec.budget_tokens:,}; lower the budget or repeat the data"
        )
    names = [heldout_set.name for heldout_set in heldout]
    if not names or len(set(names)) != len(names):
        raise TrainingError(f"held-out sets must be there and differ in name, got {names}")
    for heldout_set in heldout:
        if (
            len(heldout_set.tokens)
            and not 0 <= heldout_set.tokens.min() <= heldout_set.tokens.max() < spec.vocabulary_size
        ):
            raise TrainingError(
                f"held-out set {heldout_set.name!r} has token ids outside [0, {spec.vocabulary_size}); "
                "tokenise it with the study's tokenizer"
            )


def _check_folder(spec: RunSpec, folder: RunFolder) -> None:
    if not folder.config.exists():
        return
    try:
        found = read_spec(folder)
    except (OSError, ValueError, KeyError, TypeError, WorkspaceError) as error:
        raise TrainingError(
            f"{folder.config}: cannot be read ({cause_of(error)}); delete the folder to run again"
        ) from None
    if found != spec:
        fields = [name for name in RunSpec.model_fields if getattr(found, name) != getattr(spec, name)]
        raise TrainingError(
            f"{folder.path} holds another run ({', '.join(fields)} differ); use another folder or delete this one"
        )


def _check_ledger(folder: RunFolder, state: RunState) -> None:
    """The ledger so far and the checkpoint are of one run. One that is damaged is written anew from the checkpoint."""
    if not state.step or not folder.ledger.exists():
        return
    try:
        written = read_parquet(folder.ledger)
    except WorkspaceError:
        return
    before = written.filter(pl.col("step") <= state.step) if "step" in written.columns else written
    if not before.equals(pl.DataFrame(state.ledger, schema=LEDGER_SCHEMA)):
        raise TrainingError(
            f"{folder.ledger}: not the ledger of the checkpoint beside it; delete {folder.path} to run again"
        )


def _start(
    spec: RunSpec, stream: TokenStream, heldout: Sequence[HeldoutTokens], *, folder: RunFolder, device: torch.device
) -> _Run:
    config, size = spec.resolved_training, spec.model_size
    program = make_program(spec, device=device)
    parameters = size.parameters(spec.vocabulary_size)
    folder.path.mkdir(parents=True, exist_ok=True)
    facts = {
        "spec": spec.model_dump(mode="json"),
        "budget_tokens": spec.budget_tokens,
        "training": config.model_dump(mode="json"),
        "device": device.type,
        "precision": program.precision,
        "compiled": program.is_compiled,
        "parameters": parameters.total,
        "embedding_parameters": parameters.embedding,
        "non_embedding_parameters": parameters.non_embedding,
        "flops_per_token": size.flops_per_token(vocabulary_size=spec.vocabulary_size, context=config.context),
        "torch": torch.__version__,
    }
    write_json_atomic(folder.config, facts)
    return _Run(
        spec=spec,
        schedule=Schedule(config=config, steps=spec.steps),
        stream=stream,
        heldout=heldout,
        folder=folder,
        program=program,
    )


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


# --- records --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Point:
    """The losses of one set or subset at one step."""

    subset: str
    heldout: HeldoutTokens
    losses: DocumentLosses


def _record_curve_point(run: _Run, state: RunState) -> None:
    """Evaluate the fixed tenth of each set and record it."""
    started = time.perf_counter()
    tenths = [heldout_set.select(heldout_set.curve_documents()) for heldout_set in run.heldout]
    points = [_Point("tenth", tenth, _evaluate(run, tenth)) for tenth in tenths]
    _record(run, state, points, evaluation_seconds=time.perf_counter() - started)


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
    rows = [row for point in points if point.subset == "all" for row in _document_rows(point)]
    write_table(run.folder.documents, rows, schema=DOCUMENTS_SCHEMA)


def _evaluate(run: _Run, heldout_set: HeldoutTokens) -> DocumentLosses:
    return evaluate(run.program.model, heldout_set, bos_id=run.spec.bos_id, precision=run.program.precision)


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
    _write_tables(folder, state)
    if status == "diverged":
        write_table(folder.documents, [], schema=DOCUMENTS_SCHEMA)
    write_json_atomic(folder.status, {"status": status, "step": step, "files": folder.digests()})
    shutil.rmtree(folder.checkpoint, ignore_errors=True)
    return RunRecord(
        run_dir=folder.path,
        spec=run.spec,
        status=status,
        step=step,
        precision=run.program.precision,
        device=run.program.device.type,
        ledger=read_parquet(folder.ledger),
        documents=read_parquet(folder.documents),
    )
