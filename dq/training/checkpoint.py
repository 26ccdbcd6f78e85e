"""Where a killed run goes on, exactly.

One safetensors file holds weights, optimiser state and, as JSON in its header, the progress of the run; it is replaced
by a rename, so a checkpoint is whole or is the one before. Nothing random happens during training and the stream is
reached by position, so this is the whole state: a resumed run continues bit for bit on the same machine. No pickle.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dq.config import canonical_json
from dq.errors import TrainingError
from dq.store.files import replacing
from dq.training.model import Llama

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
    ledger: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the ledger so far."""
    timing: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the timing table so far."""


def save_checkpoint(folder: Path, model: Llama, optimizer: torch.optim.Optimizer, *, state: RunState) -> None:
    """Replace the folder's checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.detach().contiguous() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment in _MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    with replacing(folder / _STATE) as temporary:
        save_file(tensors, temporary, metadata={"progress": canonical_json(asdict(state))})


def load_checkpoint(folder: Path, model: Llama, optimizer: torch.optim.Optimizer) -> RunState | None:
    """Put a checkpoint into a model and its optimiser; None, and nothing changed, where there is none.

    Raises:
        TrainingError: the checkpoint cannot be read or is of another model.
    """
    path = folder / _STATE
    if not path.exists():
        return None
    device = model.embed_tokens.weight.device
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = RunState(**json.loads(file.metadata()["progress"]))
        model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
        for name, parameter in model.named_parameters():
            optimizer.state[parameter] = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS}
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{path}: cannot be resumed from ({error}); delete the run's folder to start again"
        ) from None
    return state
