"""What every worker process does first: it ends with its parent, and leaves Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Exit at once when the parent process is gone, even when it was killed with SIGKILL.

    The parent's sentinel is a pipe whose other end the kernel closes; a thread waits on it. Compiled kernels and torch
    release the GIL, so the thread runs whatever the worker computes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
