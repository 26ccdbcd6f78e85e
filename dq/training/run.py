"""What a run is while it works, and what it leaves in its folder: facts, checkpoints, measurements, how it ended."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import torch

from dq.store import read_json, read_parquet
from dq.store.files import write_json_atomic
from dq.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from dq.training.config import RunSpec
from dq.training.evaluation import DocumentLosses, evaluate
from dq.training.hf import save_hf
from dq.training.program import Program
from dq.training.record import (
    DOCUMENTS_SCHEMA,
    LEDGER_SCHEMA,
    TIMING_SCHEMA,
    RunFolder,
    RunRecord,
    RunStatus,
    write_table,
)
from dq.training.schedule import Schedule
from dq.training.stream import HeldoutTokens, TokenStream

HOPELESS = 10
"""Times the loss of chance, ln of the vocabulary, that a step cannot have but where nothing learnt is left."""


@dataclass(frozen=True, eq=False)
class Run:
    """What stays the same from the first step to the last."""

    spec: RunSpec
    schedule: Schedule
    stream: TokenStream
    heldout: Sequence[HeldoutTokens]
    folder: RunFolder
    program: Program

    @cached_property
    def evaluated_steps(self) -> frozenset[int]:
        """Steps after which it is evaluated."""
        return frozenset(self.schedule.evaluation_steps())

    @cached_property
    def saved_steps(self) -> frozenset[int]:
        """Steps after which a checkpoint is written."""
        return self.evaluated_steps | set(range(0, self.spec.steps + 1, self.spec.training.checkpoint_every_steps))


def start_run(
    spec: RunSpec, stream: TokenStream, heldout: Sequence[HeldoutTokens], *, folder: RunFolder, program: Program
) -> Run:
    """Write what is known before the first step."""
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
    if (stacked := max(program.stacked, _stacked(folder) if folder.checkpoint.exists() else 1)) > 1:
        facts["stacked"] = stacked
    if program.team.is_first:
        folder.path.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder.config, facts)
    return Run(
        spec=spec,
        schedule=Schedule(config=config, steps=spec.steps),
        stream=stream,
        heldout=heldout,
        folder=folder,
        program=program,
    )


def _stacked(folder: RunFolder) -> int:
    """The most runs that were one program with it so far."""
    return int(read_json(folder.config).get("stacked", 1)) if folder.config.exists() else 1


def load_run(run: Run) -> RunState:
    """How far the run is; its program goes on from there."""
    program = run.program
    found = load_checkpoint(
        run.folder.checkpoint, program.model, program.optimizer, spec=run.spec, schedule=run.schedule
    )
    return found or RunState()


def save_run(run: Run, state: RunState) -> None:
    """Replace the run's checkpoint."""
    if run.program.team.is_first:
        save_checkpoint(run.folder.checkpoint, run.program.model, run.program.optimizer, state=state, spec=run.spec)


def sound_losses(measured: Sequence[Sequence[float]], spec: RunSpec) -> list[float]:
    """Of each step its micro-batches' nats summed, its gradient's norm left out, up to the first that has diverged.

    That is one that is not finite, or far worse than chance: a rate that is much too high may stay finite for good.
    """
    limit = HOPELESS * math.log(spec.vocabulary_size) * spec.training.tokens_per_step
    sound = takewhile(lambda step: all(map(math.isfinite, step)) and sum(step[:-1]) < limit, measured)
    return [sum(losses_nats) for *losses_nats, _gradient_norm in sound]


# --- records --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Point:
    """The losses of one set or subset at one step."""

    subset: str
    heldout: HeldoutTokens
    losses: DocumentLosses


def record_curve_points(due: Sequence[tuple[Run, RunState]]) -> None:
    """Evaluate the fixed tenth of each set, once for all runs that are due, and record it for each."""
    if not due:
        return
    started, (run, _) = time.perf_counter(), due[0]
    tenths = [heldout_set.select(heldout_set.curve_documents()) for heldout_set in run.heldout]
    points = [_Point("tenth", tenth, _evaluate(run, tenth)) for tenth in tenths]
    seconds = time.perf_counter() - started
    for one, state in due:
        _record(one, state, points, evaluation_seconds=seconds)


def _record_final_point(run: Run, state: RunState) -> None:
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


def _evaluate(run: Run, heldout_set: HeldoutTokens) -> DocumentLosses:
    program = run.program
    return evaluate(program.model, heldout_set, bos_id=run.spec.bos_id, precision=program.precision, team=program.team)


def _record(run: Run, state: RunState, points: list[_Point], *, evaluation_seconds: float) -> None:
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
        "training_seconds": state.pending_share_seconds,
        "evaluation_seconds": evaluation_seconds,
        "tokens_per_second": state.pending_tokens / state.pending_seconds,
    }
    state.timing.append(timing)
    if run.program.team.is_first:
        _write_tables(run.folder, state)  # the curve so far, for whoever watches
    state.pending_loss_nats, state.pending_tokens = 0.0, 0
    state.pending_seconds = state.pending_share_seconds = 0.0


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


def complete_run(run: Run, state: RunState) -> RunRecord:
    """Evaluate every document, keep the model, and end."""
    _record_final_point(run, state)
    if run.program.team.is_first:
        save_hf(run.program.model, run.folder.model, bos_id=run.spec.bos_id)
    return finish_run(run, state, status="complete", step=state.step)


def finish_run(run: Run, state: RunState, *, status: RunStatus, step: int) -> RunRecord:
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
        stacked=_stacked(folder),
        ledger=read_parquet(folder.ledger),
        documents=read_parquet(folder.documents),
    )
