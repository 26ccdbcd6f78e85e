"""A task a shard or band: by threads of this process, or by an executor whose workers may be elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from dq.executors import QUIET, Executor, Step, run_in_threads


class ShardTask(Protocol):
    """What is to be done with a shard or band. Workers elsewhere are sent it, and see the same files."""

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
        threads: int = 1,
        amount: Callable[[Task], float] = lambda _task: 0,
    ) -> None:
        """Do the tasks whose output is not there, by so many threads where these are used.

        The step is told the amount of every task, asked when it is done.
        """
        if self.executor is not None:
            self.executor.run(function, tasks, output=lambda task: task.output, step=self.step, amount=amount)
            return

        def one(task: Task) -> None:
            if not task.output.exists():
                function(task)
            self.step.advance(amount(task))

        run_in_threads(one, tasks, threads=threads)
