"""What a training worker runs: `train`, in a process with one thread.

Two threads in one process fall to 1 % of their speed as soon as anything else runs (measured), and the number of
threads decides the last bits of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from dq.training.config import RunSpec
from dq.training.record import RunRecord
from dq.training.stream import HeldoutTokens, TokenStream
from dq.training.trainer import OnProgress, train

__all__ = ["train_in_worker"]


def train_in_worker(
    spec: RunSpec,
    stream: TokenStream,
    heldout: Sequence[HeldoutTokens],
    *,
    run_dir: Path,
    on_progress: OnProgress | None = None,
) -> RunRecord:
    """`train` on the CPU with this process set to one thread."""
    torch.set_num_threads(1)
    return train(spec, stream, heldout, run_dir=run_dir, device="cpu", on_progress=on_progress)
