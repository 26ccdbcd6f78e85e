"""Tasks for workers elsewhere, in a module that is soon loaded: each leaves a file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from dq.errors import BudgetError
from dq.executors import report
from tests.processes import until


def double(path: Path) -> None:
    report(path.name)
    path.write_text(str(2 * int(path.name)))


def fail_at_1(path: Path) -> None:
    if path.name == "1":
        raise BudgetError("pool web: 5 tokens available, 9 needed")
    time.sleep(300)
    path.touch()


def wait_to_be_killed_once(path: Path) -> None:
    """Each task says that it is at work; the first time it waits until one was taken down."""
    begun = path.with_suffix(".begun")
    if not begun.exists():
        (path.parent / "pid").write_text(str(os.getpid()))
        begun.touch()
        until(lambda: path.with_name("down").exists(), seconds=100)
    path.write_text("done")


def always_killed(path: Path) -> None:
    del path
    os.kill(os.getpid(), signal.SIGKILL)
