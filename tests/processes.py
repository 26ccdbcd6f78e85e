"""Real processes for tests: started with this Python and this code, watched, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def python(code: str | Path, *arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program, given as text or as a file; it and what it started are gone afterwards."""
    start = ["-c", code] if isinstance(code, str) else [str(code)]
    process = subprocess.Popen(
        [sys.executable, *start, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(code: str | Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    with python(code, *arguments, **environment) as process:
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for a condition, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process exists and is not only waiting to be reaped."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def session_of(pid: int) -> set[int]:
    """Every process of the session that a program of `python` leads: itself, its fork server, its workers."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                if os.getsid(int(entry.name)) == pid:
                    found.add(int(entry.name))
            except ProcessLookupError:
                continue
    return found
