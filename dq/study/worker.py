"""What a training worker runs. The fork server imports this module once, so that every worker has torch loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from dq.training import HeldoutTokens, RunSpec
from dq.training.trainer import train
from dq.variants import Stream

__all__ = ["train_one_thread"]


def train_one_thread(spec: RunSpec, stream: Stream, heldout: Sequence[HeldoutTokens], *, folder: Path) -> str:
    """Train with one thread: two threads of one process collapse when anything else runs. Returns the status."""
    torch.set_num_threads(1)
    return train(spec, stream, heldout, run_dir=folder, device="cpu").status
