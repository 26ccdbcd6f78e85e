"""What every worker process does first: it ends with its parent or when told to, and leaves Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

_tell: Callable[[Any], None] | None = None
"""Who hears the reports of the task at work. A process works on one task, so one is enough."""


def start_worker(stop: Connection, reports: Connection) -> None:
    """What the pool runs first in every worker.

    All workers write to one pipe without a lock, which a killed worker could keep: the kernel writes messages of up to
    4 KB whole (PIPE_BUF).
    """
    global _tell  # noqa: PLW0603
    _tell = reports.send
    end_with_parent(stop)


@contextmanager
def reports_to(tell: Callable[[Any], None]) -> Iterator[None]:
    """Tasks that run in this process report to a function."""
    global _tell  # noqa: PLW0603
    before, _tell = _tell, tell
    try:
        yield
    finally:
        _tell = before


def report(value: Any) -> None:
    """Send a small value to the `on_report` of the call that runs this task; outside a task it goes nowhere."""
    if _tell is not None:
        _tell(value)


def end_with_parent(stop: Connection | None = None) -> None:
    """Exit at once when the parent process is gone, even when it was killed with SIGKILL, or closes ``stop``.

    The parent's sentinel is a pipe whose other end the kernel closes; a thread waits on it. Compiled kernels and torch
    release the GIL, so the thread runs whatever the worker computes.

    Args:
        stop: the reading end of a pipe that only the parent can write to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    ends: list[Any] = [parent.sentinel] if stop is None else [parent.sentinel, stop]

    def watch() -> None:
        wait(ends)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
