"""What every worker process does first: it ends with its parent or when told to, and leaves Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["end_with_parent"]


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
