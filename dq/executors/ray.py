"""The cores of a Ray cluster: a Ray task a task.

Every node sees the same folders under the same names and has dq installed; this process, on any node, finds work,
counts it and does what is not cut into tasks. Ray starts a task anew whose node went down, which is safe: a task's
result is a file that is written last. What tasks report arrives with their end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dq.arguments import whole_number
from dq.errors import ConfigError, require
from dq.executors.base import Executor, WorkerDiedError
from dq.executors.worker import reports_to

Task = TypeVar("Task")

LOST_NODES = 3  # times that a task is put elsewhere when its node or worker dies
HEARING_SECONDS = 0.5  # after which Ctrl-C is heard

DIED = "workers of the Ray cluster died (a node lost, or out of memory); run the same command again to go on"


@dataclass(frozen=True)
class RayExecutor(Executor):
    """So many tasks of one core at a time on a Ray cluster.

    Attributes:
        workers: tasks at a time.
        address: of the cluster, as `ray.init` takes it: ``auto`` is the one that this node belongs to, or what
            ``RAY_ADDRESS`` names; ``local`` starts one of this machine alone.
    """

    workers: int = 1
    address: str = "auto"

    def __post_init__(self) -> None:
        whole_number(self.workers, name="workers", least=1)

    @classmethod
    def of_cluster(cls, workers: int | None = None, *, address: str = "auto") -> RayExecutor:
        """As many tasks at a time as the cluster has cores now, or as stated.

        Raises:
            ConfigError: there is no cluster.
        """
        ray = require("ray")
        with connected(address):
            return cls(workers or max(1, int(ray.cluster_resources().get("CPU", 1))), address)

    def attempt(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        """Run every task once, in workers of Ray's."""
        del isolated  # they always are
        ray = require("ray")
        tell, waiting = on_report or (lambda _value: None), list(reversed(tasks))
        with connected(self.address):
            remote = ray.remote(num_cpus=1, max_retries=LOST_NODES)(_work)
            at_work: dict[Any, Task] = {}
            try:
                while waiting or at_work:
                    while waiting and len(at_work) < self.workers:
                        task = waiting.pop()
                        at_work[remote.remote(function, task, Path.cwd())] = task
                    done, _ = ray.wait(list(at_work), timeout=HEARING_SECONDS)
                    for one in done:
                        for value in _result(ray, one):
                            tell(value)
                        on_done(at_work.pop(one))
            finally:
                for one in at_work:  # after an error or Ctrl-C
                    ray.cancel(one, force=True)


def _work(function: Callable[[Task], None], task: Task, folder: Path) -> list[Any]:
    """What a worker does: the task, in the folder of whoever asked; what it reported is the answer."""
    reported: list[Any] = []
    with chdir(folder), reports_to(reported.append):
        function(task)
    return reported


def _result(ray: Any, reference: Any) -> list[Any]:
    try:
        found: list[Any] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except (ray.exceptions.RayError, ray.exceptions.RaySystemError):
        raise WorkerDiedError(DIED) from None
    return found


@contextmanager
def connected(address: str = "auto") -> Iterator[None]:
    """Connect to a cluster; in a process that is connected, nothing.

    Raises:
        ConfigError: there is no cluster.
    """
    ray = require("ray")
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns that it will change a default
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster at {address!r} ({str(error).splitlines()[0]}); start one with `ray start`, or set "
            "RAY_ADDRESS",
            field="executor",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
