"""What an executor is: tasks in, files out.

The result of a task is a file, so what is done is known to a run that goes on after a kill, and to any machine that
sees the folder. An executor for a cluster is a class of one method, `Executor.attempt`: what is skipped, counted and
tried again is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dq.errors import ConfigError, DqError
from dq.executors.progress import QUIET, Step

Task = TypeVar("Task")


@dataclass(frozen=True)
class Placement:
    """Where a run works, as it is told by whoever starts it."""

    device: str = "cpu"
    """As torch names it: ``cpu``, ``cuda``, ``cuda:1``."""
    rank: int = 0
    """Which of the processes that share the run this is."""
    world: int = 1
    """How many processes share the run."""
    meeting: str = "env://"
    """Where they meet, as torch names it; the default is what ``torchrun`` sets."""

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ConfigError(f"rank {self.rank} in a world of {self.world}: ranks are counted from 0 and below it")


ON_CPU = Placement()


class WorkerDiedError(DqError):
    """A worker ended without an answer: killed, or out of memory. What it had finished is on disk."""


class Executor(ABC):
    """Runs a list of independent tasks."""

    workers: int
    """Tasks at a time."""

    def run(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        output: Callable[[Task], Path],
        step: Step = QUIET,
        amount: Callable[[Task], float] = lambda _task: 1,
        on_report: Callable[[Any], None] | None = None,
        isolated: bool = False,
        may_stop: bool = False,
    ) -> None:
        """Run ``function`` on every task whose output is not there.

        After a worker has died, what is left is tried once more. An error that a task raises is not tried again: the
        other tasks end at once, what is finished stays, and the same call goes on from there.

        Args:
            function: a module-level function, which writes the task's output last and whole. Its module is imported
                once for all workers.
            tasks: independent of each other; their order only decides who starts first.
            output: the file whose existence says that the task is done.
            step: advanced for each task that is done, by those that were done before too.
            amount: by how much, asked when it is done: what was reported of it is in the step already.
            on_report: called with what tasks pass to `dq.executors.report`, in this thread as `step` is.
            isolated: give even a single worker a process of its own.
            may_stop: a task may end without its output, to be gone on with another time.

        Raises:
            DqError: a task raised it, or workers died twice.
        """
        counted: set[int] = set()  # tasks as objects: comparing what is in them may take long

        def count(finished: Sequence[Task]) -> None:
            counted.update(map(id, finished))
            step.advance(sum(map(amount, finished)))

        def on_done(task: Task) -> None:
            if may_stop and not output(task).exists():
                return
            assert output(task).exists(), f"{function.__qualname__} has not written {output(task)}"
            count([task])

        for again in (False, True):
            waiting = [task for task in tasks if not output(task).exists()]
            known = counted | {id(task) for task in waiting}
            if before := [task for task in tasks if id(task) not in known]:
                count(before)
            if not waiting:
                return
            try:
                # What has killed a worker is never tried in this process.
                self.attempt(function, waiting, on_done=on_done, on_report=on_report, isolated=isolated or again)
                return
            except WorkerDiedError:
                if again:
                    raise

    def prepare(self, module: str) -> None:
        """Get ready for tasks that are to come, while the caller does something else; there may be nothing to do.

        Args:
            module: its import is what workers would otherwise each do first.
        """
        del module

    @abstractmethod
    def attempt(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        """Run every task once; no worker is left when this returns or raises.

        Args:
            function: as in `run`.
            tasks: at least one.
            on_done: to be called in this process as tasks finish.
            on_report: as in `run`.
            isolated: as in `run`.

        Raises:
            WorkerDiedError: a worker died; some tasks may be done.
            DqError: whatever a task raised, as it was raised: it is not tried again.
        """
