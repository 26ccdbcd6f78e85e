"""What a worker of a study does: one run, alone or with others. Loading this loads torch, once for all workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from dq.errors import DqError, StoppedError, WorkspaceError, cause_of
from dq.executors import ON_CPU, QUIET, LocalExecutor, Placement, Step, WorkerDiedError, report
from dq.stages.base import View
from dq.stages.tokens import TokenPool
from dq.store import FolderLock, Workspace
from dq.study.heldout_tokens import tokenized_sets
from dq.training import HeldoutTokens, RunFolder, RunSpec, train
from dq.training.stacking import StackedRun, train_stack
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
    sets: tuple[str, ...]
    """Held-out sets that it is scored on."""
    placements: tuple[Placement, ...] = (ON_CPU,)
    """One for each process that shares the run."""
    deadline: float | None = None
    branches: tuple[RunTask, ...] = ()
    """Runs whose first steps this one does, to be gone on with afterwards."""
    beside: tuple[RunTask, ...] = ()
    """Runs that are one program with this one, in this process; neither they nor it have branches then."""

    @property
    def singles(self) -> tuple[RunTask, ...]:
        """Its runs, each a task of its own."""
        return (replace(self, beside=()), *self.beside)

    @property
    def output(self) -> Path:
        """The file that says how the run ended, written last; of a stack that of one that has not ended, if any."""
        endings = [RunFolder(one.folder).status for one in self.singles]
        return next((ending for ending in endings if not ending.exists()), endings[0])


@dataclass(frozen=True)
class RunFault:
    """Why a run has ended without a result."""

    name: str
    error: DqError


@dataclass(frozen=True)
class _Share:
    """A process's part in a run."""

    task: RunTask
    placement: Placement


def train_run(task: RunTask) -> None:
    """Train a run, or a stack of runs. Past the deadline nothing begins.

    A run that cannot be trained, for want of memory or of room on the disk or because its files are damaged, is
    reported as a `RunFault`, and others go on. What keeps a stack from being trained is one run's fault, or that they
    are so many: each is gone on with alone.
    """
    if task.deadline is not None and time.time() >= task.deadline:
        return
    if task.beside:
        try:
            _train_together(task)
        except (DqError, OSError):
            for one in task.singles:
                train_run(one)
        return
    try:
        _train_together(task)
    except WorkerDiedError:
        raise  # tried again
    except DqError as error:
        report(RunFault(task.folder.name, error))
    except OSError as error:
        report(RunFault(task.folder.name, WorkspaceError(f"{task.folder}: {cause_of(error)}; free it or name another")))


def _train_together(task: RunTask) -> None:
    """Processes that share a run have a pool of their own: they meet at a file, and when one ends they all do."""
    with ExitStack() as opened:
        for one in (*task.singles, *task.branches):
            opened.enter_context(FolderLock(one.folder))
        meeting = f"file://{opened.enter_context(TemporaryDirectory())}/meeting"
        shares = [_Share(task, replace(placement, meeting=meeting)) for placement in task.placements]
        if len(shares) == 1:
            _train_share(shares[0])
            return
        LocalExecutor(len(shares)).attempt(
            _train_share, shares, on_done=lambda _share: None, on_report=report, isolated=True
        )


def _train_share(share: _Share) -> None:
    """Open the workspace, make the streams, train. The first process tells how far it is."""
    task = share.task
    workspace = Workspace(task.workspace)
    universe, pool = open_universe(workspace), View.of(workspace).open(TokenPool)
    streams = {
        one.folder: one.variant.whole_stream(
            universe, pool, seed=one.spec.seed, vocabulary_size=one.spec.vocabulary_size
        )
        for one in (*task.singles, *task.branches)
    }
    heldout = _heldout(task.workspace, task.sets, task.spec.heldout_fingerprint)
    progress = QUIET if share.placement.rank else _Reported()
    with suppress(StoppedError):
        if task.beside:
            train_stack(
                [StackedRun(one.spec, streams[one.folder], one.folder) for one in task.singles],
                heldout,
                placement=share.placement,
                deadline=task.deadline,
                progress=progress,
            )
            return
        stream = streams[task.folder]
        train(
            task.spec,
            stream,
            heldout,
            run_dir=task.folder,
            placement=share.placement,
            branches=[
                Branch(one.spec, streams[one.folder], one.folder)
                for one in task.branches
                if same_windows(stream, streams[one.folder], count=_shared_windows(task.spec, one.spec))  # else alone
            ],
            deadline=task.deadline,
            progress=progress,
        )


def _shared_windows(spec: RunSpec, branch: RunSpec) -> int:
    return shared_steps(spec, branch) * spec.training.batch_windows


@lru_cache(maxsize=1)
def _heldout(workspace: Path, sets: tuple[str, ...], _fingerprint: str) -> list[HeldoutTokens]:
    """The held-out sets, tokenised once for all runs of a worker: seconds for each where there are many."""
    return tokenized_sets(Workspace(workspace), sets)


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
