"""The cores of this machine: a pool of processes from a preloaded fork server.

Workers are forked from a clean server process that has imported once what this process has of dq, so that a worker
starts in milliseconds, inherits no lock and no thread, and pays no import; all stages of a job share it. A single
worker is this process itself. After an error or Ctrl-C the other workers end at once: what they had finished is on
disk, the rest is done again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver, resource_tracker, spawn
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from dq.arguments import whole_number
from dq.executors.base import Executor, WorkerDiedError
from dq.executors.worker import reports_to, start_worker

Task = TypeVar("Task")

WORKER = "dq.executors.worker"
HEARING_SECONDS = 0.5  # after which Ctrl-C is heard: polars has the system go on waiting for a lock after a signal

DIED = "a worker process died (killed, or out of memory); run the same command again to go on, with fewer workers"


@dataclass(frozen=True)
class LocalExecutor(Executor):
    """So many processes at a time; one worker, or one task, stays in this process unless it is to be isolated."""

    workers: int = 1

    def __post_init__(self) -> None:
        whole_number(self.workers, name="workers", least=1)

    def prepare(self, module: str) -> None:
        """Start the process that workers are forked from, which takes some seconds."""
        if self.workers > 1:
            _start_fork_server(module)

    def attempt(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        """Run every task once, here or in a pool."""
        tell, size = on_report or (lambda _value: None), min(self.workers, len(tasks))
        if size > 1 or isolated:
            try:
                _attempt_in_pool(function, tasks, size=size, on_done=on_done, tell=tell)
            except BrokenProcessPool:
                raise WorkerDiedError(DIED) from None
            return
        with reports_to(tell):
            for task in tasks:
                function(task)
                on_done(task)


def _attempt_in_pool(
    function: Callable[[Task], None],
    tasks: Sequence[Task],
    *,
    size: int,
    on_done: Callable[[Task], None],
    tell: Callable[[Any], None],
) -> None:
    """Reports and finished tasks meet in one queue, so that the caller hears of both in its own thread."""
    events: SimpleQueue[tuple[Future[None] | None, Any]] = SimpleQueue()
    unfinished = len(tasks)
    with _pool(size, function.__module__, tell=lambda value: events.put((None, value))) as pool:
        # Ctrl-C later: a worker that is half started would complain of what it was not sent.
        with _ctrl_c_later(), _script_left_alone(function, tasks[0]):
            for task in tasks:
                pool.submit(function, task).add_done_callback(partial(_put, events, task))
        while unfinished:
            try:
                future, value = events.get(timeout=HEARING_SECONDS)
            except Empty:
                _look_for_the_dead(pool)
                continue
            if future is None:
                tell(value)
            else:
                future.result()
                on_done(value)
                unfinished -= 1
    while not events.empty():  # reports and results come through two pipes: some may have been late
        tell(events.get()[1])


@contextlib.contextmanager
def _script_left_alone(function: Callable[[Task], None], task: Task) -> Iterator[None]:
    """Start workers that do not run the caller's script again, unless a task is of its making, as the others are.

    The standard library has every worker run it, so that a script without ``if __name__ == "__main__":`` would begin
    anew in each; tasks of dq need nothing of it. What a worker is told to run has no public name.
    """
    if _is_of_script(function, task):
        yield
        return
    told: Any = spawn.get_preparation_data
    spawn.get_preparation_data = lambda name: {
        key: value for key, value in told(name).items() if not key.startswith("init_main")
    }
    try:
        yield
    finally:
        spawn.get_preparation_data = told


def _is_of_script(function: Callable[[Task], None], task: Task) -> bool:
    try:
        return b"__main__" in pickle.dumps((function, task))
    except (pickle.PicklingError, TypeError, AttributeError):
        return True  # the pool says what cannot be sent


def _look_for_the_dead(pool: Any) -> None:
    """Tell of a worker that died unnoticed.

    The standard library wakes its watch before it starts a worker for a task: one that is killed in its first moments
    would be waited for without end.

    Raises:
        BrokenProcessPool: a worker has ended.
    """
    if any(process.exitcode is not None for process in (pool._processes or {}).values()):
        raise BrokenProcessPool(DIED)


def _put(events: SimpleQueue[tuple[Future[None] | None, Any]], task: Any, future: Future[None]) -> None:
    events.put((future, task))


@contextlib.contextmanager
def _pool(size: int, module: str, *, tell: Callable[[Any], None]) -> Iterator[ProcessPoolExecutor]:
    """Processes that are gone afterwards, at once after an error. ``tell`` gets their reports, in another thread."""
    context = multiprocessing.get_context("forkserver")
    _start_fork_server(None if module == "__main__" else module)
    ending, stop = context.Pipe(duplex=False)
    reports, reporting = context.Pipe(duplex=False)
    listener = threading.Thread(target=_listen, args=(reports, tell), daemon=True)
    with _ctrl_c_later():
        listener.start()
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=start_worker, initargs=(ending, reporting))
    try:
        yield pool
    finally:
        stop.close()  # whoever still works, after an error or Ctrl-C, ends here
        pool.shutdown(wait=True, cancel_futures=True)
        ending.close()
        reporting.close()  # the last writer: the listener meets the end of the pipe
        listener.join()
        reports.close()


def _listen(reports: Connection, tell: Callable[[Any], None]) -> None:
    with contextlib.suppress(EOFError):
        while True:
            tell(reports.recv())


def _start_fork_server(module: str | None) -> None:
    """Start the server with Ctrl-C blocked, for itself and for all that it forks: it is for this process to handle.

    A server imports what it preloads once, when it starts, for 2 s; so it gets all that later tasks may be of, but for
    a program's own, which say nothing of that. One that lacks ``module`` is stopped first. The standard library has
    that for its own tests only, hence the private names.
    """
    server: Any = forkserver._forkserver
    if not {WORKER, module or WORKER} <= set(server._preload_modules):
        server._stop()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([WORKER, *(sorted({*_imported(), module}) if module else ())])
    resource_tracker.ensure_running()  # started first: it unblocks SIGINT when it starts
    with _ctrl_c_later():
        forkserver.ensure_running()


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Ctrl-C is heard behind this; threads that start here leave it to the main one for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _imported() -> list[str]:
    """Modules of dq that this process has, but for those that only print."""
    return [name for name in [*sys.modules] if name.startswith("dq.") and not name.startswith("dq.cli")]
