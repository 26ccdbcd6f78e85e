"""Where a killed run goes on, exactly.

One safetensors file holds weights, optimiser state and, as JSON in its header, the progress of the run; it is replaced
by a rename, so a checkpoint is whole or is the one before. Nothing random happens during training and the stream is
reached by position, so this is the whole state: a resumed run continues bit for bit on the same machine. No pickle.

One that is not of this run, or not of a run that trained so far, is refused: what it claims must agree with what it has
measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dq.config import canonical_json, fingerprint
from dq.errors import TrainingError, cause_of
from dq.store.files import replacing
from dq.training.config import RunSpec
from dq.training.model import Llama
from dq.training.schedule import Schedule

_STATE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(kw_only=True)
class RunState:
    """How far a run is, and everything it has measured."""

    step: int = 0
    """Optimiser steps done."""
    pending_loss_nats: float = 0.0
    """Training loss summed since the last ledger row."""
    pending_tokens: int = 0
    """Tokens in that sum."""
    pending_seconds: float = 0.0
    """Training seconds since the last ledger row; goes to the timing table only."""
    pending_share_seconds: float = 0.0
    """Of these, what the run cost: all of them, but in a stack they are shared by its runs."""
    ledger: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the ledger so far."""
    timing: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the timing table so far."""

    def advance(self, losses_nats: Sequence[float], *, tokens_per_step: int, seconds: float, runs: int = 1) -> None:
        """Count steps that have been done, one by one: in whatever stretches they come, the sums are the same.

        So many runs have done their steps in these seconds.
        """
        self.step += len(losses_nats)
        for loss_nats in losses_nats:
            self.pending_loss_nats += loss_nats
        self.pending_tokens += tokens_per_step * len(losses_nats)
        self.pending_seconds += seconds
        self.pending_share_seconds += seconds / runs


def save_checkpoint(
    folder: Path, model: Llama, optimizer: torch.optim.Optimizer, *, state: RunState, spec: RunSpec
) -> None:
    """Replace the folder's checkpoint; the one before stays where this one cannot be written."""
    tensors = {f"model.{name}": value.detach().contiguous() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment in _MOMENTS:
            value = optimizer.state[parameter][moment]
            tensors[f"{moment}.{name}"] = value.clone() if moment == "step" else value  # which parameters may share
    with replacing(folder / _STATE) as temporary:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            about = {"run": fingerprint(spec), "progress": canonical_json(asdict(state))}
            save_file(tensors, temporary, metadata=about)
        except SafetensorError as error:  # a full disk, in its words
            raise OSError(cause_of(error)) from None


def saved_step(folder: Path) -> int:
    """The step of the folder's checkpoint; 0 where there is none or it cannot be read: whoever loads it says so."""
    try:
        with safe_open(folder / _STATE, framework="pt") as file:
            return int(json.loads(file.metadata()["progress"])["step"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError):
        return 0


def load_checkpoint(
    folder: Path, model: Llama, optimizer: torch.optim.Optimizer, *, spec: RunSpec, schedule: Schedule
) -> RunState | None:
    """Put a checkpoint into a model and its optimiser; None, and nothing changed, where there is none.

    Raises:
        TrainingError: the checkpoint cannot be read, or is not one of this run.
    """
    path = folder / _STATE
    if not path.exists():
        return None
    device = model.embed_tokens.weight.device
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = file.metadata() or {}
        if "progress" not in about:
            raise ValueError("no checkpoint of a run")
        state = RunState(**json.loads(about["progress"]))
        if about.get("run", fingerprint(spec)) != fingerprint(spec):  # older versions did not say
            raise ValueError("of another run")
        _check_progress(state, spec, schedule)
        _check_tensors(tensors, model, step=state.step)
        model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
        for name, parameter in model.named_parameters():
            optimizer.state[parameter] = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS}
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError, RecursionError) as error:
        raise TrainingError(
            f"{path}: cannot be resumed from ({cause_of(error)}); delete the run's folder to start again"
        ) from None
    return state


def _check_progress(state: RunState, spec: RunSpec, schedule: Schedule) -> None:
    """A run that is so far has been evaluated at every step that was due, and not later."""
    if not isinstance(state.step, int) or not 0 < state.step <= spec.steps:
        raise ValueError(f"step {state.step!r} of {spec.steps}")
    due = [step for step in schedule.evaluation_steps() if step <= state.step and step < spec.steps]
    for name, rows in (("ledger", state.ledger), ("timing", state.timing)):
        if list(dict.fromkeys(row["step"] for row in rows)) != due:
            raise ValueError(f"its {name} is not that of a run that has done {state.step} steps")
    if state.pending_tokens != (state.step - (due[-1] if due else 0)) * spec.training.tokens_per_step:
        raise ValueError("its tokens are not those of its steps")
    measured = [state.pending_loss_nats, *(row["loss_nats"] for row in state.ledger)]
    if not all(math.isfinite(value) for value in measured):
        raise ValueError("a loss is not finite")


def _check_tensors(tensors: dict[str, Tensor], model: Llama, *, step: int) -> None:
    """Names, shapes and types are the model's and its optimiser's, and every value is finite."""
    like = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        like |= {f"exp_avg.{name}": parameter, f"exp_avg_sq.{name}": parameter}
        done = tensors[f"step.{name}"]
        if done.numel() != 1 or float(done) != step:
            raise ValueError(f"step.{name}: not {step} optimiser steps")
    for name, known in like.items():
        found = tensors[name]
        if found.shape != known.shape or found.dtype != known.dtype:
            raise ValueError(f"{name}: {found.dtype} of {list(found.shape)}, not {known.dtype} of {list(known.shape)}")
        if not bool(torch.isfinite(found).all()):
            raise ValueError(f"{name}: not finite")
