"""Runs that share their first steps: a trunk at constant rate, and branches that cool where each parts. No torch.

A run's rate does not depend on its length before it falls. So runs that differ in nothing else, and whose streams are
alike up to there, do the same until the first of them cools: the longest does it for all of them, and each branch gets
the checkpoint that it would have had alone, bit for bit. What sharing changes is the time that it takes, nothing else;
which run a branch was taken from stands in `trunk.json`, beside the files that tell what the run is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dq.store import read_json
from dq.store.files import write_json_atomic
from dq.training.config import RunSpec
from dq.training.schedule import Schedule
from dq.training.stream import TokenStream

if TYPE_CHECKING:
    from dq.training.checkpoint import RunState

ORIGIN = "trunk.json"
WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Branch:
    """A run whose first steps another one does."""

    spec: RunSpec
    stream: TokenStream
    run_dir: Path


def shared_steps(one: RunSpec, other: RunSpec) -> int:
    """Steps that two runs have in common, if their streams are alike so far: up to where ``other`` begins to cool.

    0 where anything but the length and the stream differs, or where ``one`` cools earlier.
    """
    length = {"steps": other.steps, "stream_fingerprint": other.stream_fingerprint}
    if one.model_copy(update=length) != other:
        return 0
    long, short = (Schedule(config=spec.resolved_training, steps=spec.steps) for spec in (one, other))
    return short.trunk_steps if short.warmup_steps == long.warmup_steps and long.trunk_steps >= short.trunk_steps else 0


def same_windows(one: TokenStream, other: TokenStream, *, count: int) -> bool:
    """Whether two streams begin with the same windows."""
    for first in range(0, count, WINDOWS_AT_ONCE):
        size = min(WINDOWS_AT_ONCE, count - first)
        if not np.array_equal(one.windows(first, size), other.windows(first, size)):
            return False
    return True


def write_origin(run_dir: Path, run: str, *, state: RunState) -> None:
    """Note of a branch which run did its first steps, and the seconds of training that it did not take itself."""
    seconds = math.fsum(row["training_seconds"] for row in state.timing) + state.pending_share_seconds
    write_json_atomic(run_dir / ORIGIN, {"run": run, "steps": state.step, "training_seconds": seconds})


def spared_seconds(run_dir: Path) -> float:
    """Seconds in a run's timing that another run took for it; 0 where it was trained alone."""
    path = run_dir / ORIGIN
    return float(read_json(path)["training_seconds"]) if path.exists() else 0.0
