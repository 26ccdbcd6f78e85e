"""What a worker of a study does: one run. Loading this loads torch, once for all workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from dq.training.trunk import Branch, same_windows, shared_steps
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
    branches: tuple[RunTask, ...] = ()
    """Runs whose first steps this one does, to be gone on with afterwards."""

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

    streams = [
        one.variant.whole_stream(universe, pool, seed=one.spec.seed, vocabulary_size=one.spec.vocabulary_size)
        for one in (task, *task.branches)
    ]
    branches = [
        Branch(one.spec, stream, one.folder)
        for one, stream in zip(task.branches, streams[1:], strict=True)
        if same_windows(streams[0], stream, count=_shared_windows(task.spec, one.spec))  # else it is trained alone
    ]
    with ExitStack() as locks, suppress(StoppedError):
        for one in (task, *task.branches):
            locks.enter_context(FolderLock(one.folder))
        train(
            task.spec,
            streams[0],
            _heldout(task.workspace, task.spec.heldout_fingerprint),
            run_dir=task.folder,
            placement=task.placement,
            branches=branches,
            deadline=task.deadline,
            progress=_Reported(),
        )


def _shared_windows(spec: RunSpec, branch: RunSpec) -> int:
    return shared_steps(spec, branch) * spec.training.batch_windows


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
