"""Tasks for shards, runs of them and parts: by threads of this process, or by an executor, perhaps elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from dq.executors import QUIET, Executor, Step, run_in_threads

TASK_BYTES = 1_000_000_000  # for the tables of a task, where workers are elsewhere


class ShardTask(Protocol):
    """What is to be done with a shard, a run or a part. Workers elsewhere are sent it, and see the same files."""

    @property
    def output(self) -> Path:
        """The file that is written last."""


Task = TypeVar("Task", bound=ShardTask)


@dataclass(frozen=True)
class ShardWorkers:
    """Who reads the shards: so many threads of this process, or an executor in their place.

    Attributes:
        step: told of documents as they are read first.
    """

    threads: int = 1
    executor: Executor | None = None
    step: Step = QUIET

    def run(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        threads: int | None = None,
        amount: Callable[[Task], float] = lambda _task: 0,
    ) -> None:
        """Do the tasks whose output is not there, by so many threads where these are used: all, unless it is said.

        The step is told the amount of every task, asked when it is done.
        """
        if self.executor is not None:
            self.executor.run(function, tasks, output=lambda task: task.output, step=self.step, amount=amount)
            return

        def one(task: Task) -> None:
            if not task.output.exists():
                function(task)
            self.step.advance(amount(task))

        run_in_threads(one, tasks, threads=threads or self.threads)

    def here(self) -> ShardWorkers:
        """Threads of this process: what is done in a second is not sent anywhere."""
        return replace(self, executor=None)

    def memory_a_task(self, memory_bytes: int) -> int:
        """Of so much for all of this process; a worker elsewhere has its own."""
        return memory_bytes // self.threads if self.executor is None else min(memory_bytes, TASK_BYTES)
