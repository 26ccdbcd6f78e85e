"""A local pool from a preloaded fork server: tasks in, results out, in the order of the tasks.

Workers are forked from a clean server process that has imported ``preload`` once, so that a worker starts in
milliseconds, inherits no lock and no thread, and pays no import. With one worker the tasks run in this process. After
an error or Ctrl-C the other workers end at once: what they had finished is on disk, the rest is done again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dq.errors import DqError
from dq.executors.worker import start_worker

__all__ = ["run_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    preload: Sequence[str] = (),
    on_done: Callable[[int, Result], None] | None = None,
    on_report: Callable[[Any], None] | None = None,
    always_fork: bool = False,
) -> list[Result]:
    """Run ``function`` on every task and return the results in the order of ``tasks``.

    Args:
        function: a module-level function; it and its task are pickled to the worker.
        tasks: independent of each other; their order only decides who starts first.
        workers: processes at a time.
        preload: modules that the fork server imports once.
        on_done: called in this process as tasks finish, with the task's index and its result.
        on_report: called in a thread of this process with what tasks pass to `dq.executors.report`.
        always_fork: use a worker process even for one worker.

    Raises:
        DqError: a worker raised it, or died (killed, or out of memory).
    """
    if (workers <= 1 or len(tasks) <= 1) and not always_fork:
        results = []
        for index, task in enumerate(tasks):
            results.append(function(task))
            if on_done is not None:
                on_done(index, results[-1])
        return results
    context = multiprocessing.get_context("forkserver")
    _start_fork_server(["dq.executors.worker", *preload])
    ending, stop = context.Pipe(duplex=False)
    reports, reporting = context.Pipe(duplex=False)
    listener = threading.Thread(target=_listen, args=(reports, on_report), daemon=True)
    listener.start()
    size = max(1, min(workers, len(tasks)))
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=start_worker, initargs=(ending, reporting))
    try:
        futures = {pool.submit(function, task): index for index, task in enumerate(tasks)}
        return _collect(futures, on_done)
    except BrokenProcessPool:
        raise DqError(
            "a worker process died (killed, or out of memory); run the same command again to go on, with fewer workers"
        ) from None
    finally:
        stop.close()  # whoever still works, after an error or Ctrl-C, ends here
        pool.shutdown(wait=True, cancel_futures=True)
        ending.close()
        reporting.close()  # the last writer: the listener meets the end of the pipe
        listener.join()
        reports.close()


def _listen(reports: Connection, on_report: Callable[[Any], None] | None) -> None:
    with contextlib.suppress(EOFError):
        while True:
            value = reports.recv()
            if on_report is not None:
                on_report(value)


def _start_fork_server(preload: Sequence[str]) -> None:
    """Start the server with Ctrl-C blocked, for itself and for all that it forks: it is for this process to handle.

    A server imports what it preloads once, when it starts; one that was started for other tasks is stopped first. The
    standard library has that for its own tests only, hence the private names.
    """
    server: Any = forkserver._forkserver
    if server._preload_modules != list(preload):
        server._stop()
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # started first: it unblocks SIGINT when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _collect(futures: dict[Future[Result], int], on_done: Callable[[int, Result], None] | None) -> list[Result]:
    results: dict[int, Result] = {}
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            index = futures[future]
            results[index] = future.result()
            if on_done is not None:
                on_done(index, results[index])
    return [results[index] for index in range(len(results))]
