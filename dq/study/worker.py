"""What a worker of a study does: one run. Loading this loads torch, once for all workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dq.errors import StoppedError
from dq.executors import ON_CPU, Placement, Step, report
from dq.stages.base import View
from dq.stages.tokens import TokenPool
from dq.store import FolderLock, Workspace
from dq.study.heldout_tokens import tokenized_sets
from dq.training import HeldoutTokens, RunFolder, RunSpec, train
from dq.variants import Variant, open_universe

REPORTS_A_RUN = 50


@dataclass(frozen=True)
class RunTask:
    """One run, and where it works."""

    workspace: Path
    variant: Variant
    spec: RunSpec
    folder: Path
    placement: Placement = ON_CPU
    deadline: float | None = None

    @property
    def output(self) -> Path:
        """The file that says how the run ended, written last."""
        return RunFolder(self.folder).status


def train_run(task: RunTask) -> None:
    """Open the workspace, make the stream, train. Past the deadline nothing begins."""
    if task.deadline is not None and time.time() >= task.deadline:
        return
    workspace = Workspace(task.workspace)
    universe, pool = open_universe(workspace), View.of(workspace).open(TokenPool)
    stream = task.variant.stream(universe, pool, seed=task.spec.seed, vocabulary_size=task.spec.vocabulary_size)
    with FolderLock(task.folder), suppress(StoppedError):
        train(
            task.spec,
            stream,
            _heldout(task.workspace, task.spec.heldout_fingerprint),
            run_dir=task.folder,
            placement=task.placement,
            deadline=task.deadline,
            progress=_Reported(),
        )


@lru_cache(maxsize=1)
def _heldout(workspace: Path, _fingerprint: str) -> list[HeldoutTokens]:
    """The held-out sets, tokenised once for all runs of a worker: seconds for each where there are many."""
    return tokenized_sets(Workspace(workspace))


class _Reported:
    """Reports the name of a step and how much of it is done, some fifty times."""

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        del unit
        step = _ReportedStep(name, every=(total or 0) / REPORTS_A_RUN)
        yield step
        report((name, step.done))


@dataclass
class _ReportedStep:
    name: str
    every: float
    done: float = 0
    told: float = 0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        del detail
        self.done += amount
        if self.done - self.told >= self.every:
            self.told = self.done
            report((self.name, self.done))
