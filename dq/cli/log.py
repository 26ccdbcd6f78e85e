"""Progress for logs: where standard error is no terminal, a line at each step's beginning and end, and one a minute.

A command that is done within seconds says nothing, so that an error stays its only line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SILENT_SECONDS = 20.0  # of the command's beginning
LINE_SECONDS = 60.0
FOUND_SECONDS = 1.0  # what a step tells first was done before: it says nothing of its speed
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass
class LoggedStep:
    """A step at work."""

    name: str
    unit: str
    total: float | None
    began: float = field(default_factory=time.monotonic)
    done: float = 0
    found: float = 0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Count."""
        del detail
        self.done += amount
        if time.monotonic() - self.began < FOUND_SECONDS:
            self.found = self.done

    def line(self, now: float) -> str:
        """``train: 41 % of 96,000 optimiser steps, 312 a second, 3 min left``."""
        rate = max(0.0, self.done - self.found) / max(1e-9, now - self.began)
        parts = [f"{self.name}: {self._share()}"]
        if self.unit and rate:
            parts.append(f"{amount(rate, self.unit)} a second")
        if self.total and rate:
            parts.append(f"{duration(max(0.0, self.total - self.done) / rate)} left")
        return ", ".join(parts)

    def _share(self) -> str:
        if self.total:
            return f"{min(1.0, self.done / self.total):.0%} of {amount(self.total, self.unit)}"
        return amount(self.done, self.unit) if self.done else "at work"


class Log:
    """A `Progress` of executors.

    Args:
        tell: takes a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._open: list[LoggedStep] = []

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[LoggedStep]:
        """A step: its beginning and its end are lines."""
        step = LoggedStep(name, unit, total)
        self._open.append(step)
        self._say(f"{name}: begins" + (f", {amount(total, unit)}" if total else ""))
        try:
            yield step
            self._say(f"{name}: done in {duration(time.monotonic() - step.began)}")
        finally:
            self._open.remove(step)

    def _say(self, line: str) -> None:
        if time.monotonic() - self._began >= SILENT_SECONDS:
            self._tell(f"{time.strftime('%H:%M:%S')} {line}")

    def tick(self) -> None:
        """Say how far the innermost step is."""
        if self._open:
            self._say(self._open[-1].line(time.monotonic()))


@contextmanager
def logged(tell: Callable[[str], None]) -> Iterator[Log]:
    """A log with a thread that says how far the work is, once a minute."""
    log, ended = Log(tell), threading.Event()

    def work() -> None:
        pause = SILENT_SECONDS
        while not ended.wait(pause):
            log.tick()
            pause = LINE_SECONDS

    thread = threading.Thread(target=work, name="log", daemon=True)
    thread.start()
    try:
        yield log
    finally:
        ended.set()
        thread.join()


def amount(value: float, unit: str) -> str:
    """``96,000 documents``; bytes as ``1.2 GB``."""
    if unit != "bytes":
        return f"{value:,.0f} {unit}".rstrip() if value >= 10 else f"{value:,.2g} {unit}".rstrip()
    size, prefix = next(((value / factor, prefix) for factor, prefix in PREFIXES if value >= factor), (value, ""))
    return f"{size:,.3g} {prefix}B"


def duration(seconds: float) -> str:
    """``12 s``, ``3 min``, ``1.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
