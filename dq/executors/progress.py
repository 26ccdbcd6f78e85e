"""How far long work is: steps with a unit, told to whoever listens, timed by whoever asks.

All long work takes ``progress: Progress = QUIET`` and tells it what it does::

    with progress.step("deduplicate", unit="documents", total=len(corpus)) as step:
        step.advance(1000)

The work knows no terminal, and the terminal no work: a bar is a `Progress`, and so is the record of seconds (`Timed`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol


class Step(Protocol):
    """A step at work."""

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Tell that so many more units are done; fewer than none where work was lost. May be called in any thread.

        Args:
            amount: in the step's unit.
            detail: what is being worked on, such as a file's name. It is untrusted text.
        """


class Progress(Protocol):
    """Listens to long work."""

    def step(self, name: str, *, unit: str = "", total: float | None = None) -> AbstractContextManager[Step]:
        """Begin a step; it ends with its block. Steps may repeat a name, and stand inside one another.

        Args:
            name: what is done, such as ``deduplicate``.
            unit: what it is counted in, such as ``documents``.
            total: how many there are, where that is known.
        """


class Quiet:
    """Tells nobody: a progress and each of its steps."""

    def step(self, _name: str, *, unit: str = "", total: float | None = None) -> AbstractContextManager[Quiet]:
        """Begin a step that nobody hears of."""
        del unit, total
        return nullcontext(self)

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Nothing."""


QUIET = Quiet()


@dataclass(frozen=True)
class StepTime:
    """What a step did and how long it took."""

    name: str
    unit: str
    amount: float
    """Units done, which is less than there were where an error ended the step."""
    seconds: float
    """Of the step itself: those of a step inside it are counted there, so that the seconds of a record add up."""


class Timed:
    """Passes everything on, and records what each step took.

    Steps begin and end in one thread, the innermost first, as blocks do.

    Args:
        progress: hears of every step too.
        clock: what seconds are counted by; `time.process_time` leaves out what others make this process wait.
    """

    def __init__(self, progress: Progress = QUIET, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._progress, self._clock = progress, clock
        self._rows: list[StepTime] = []
        self._open: list[int] = []
        self._since = 0.0
        self._lock = threading.Lock()

    @property
    def times(self) -> tuple[StepTime, ...]:
        """One row a step, in the order in which they began; a name that was repeated has as many rows."""
        return tuple(self._rows)

    def seconds(self, name: str) -> float:
        """Seconds of all steps of a name; 0 where there was none."""
        return sum(row.seconds for row in self._rows if row.name == name)

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        """Begin a step, and stop the clock of the one around it."""
        with self._progress.step(name, unit=unit, total=total) as step:
            self._stop_clock()
            self._open.append(len(self._rows))
            self._rows.append(StepTime(name, unit, 0, 0.0))
            try:
                yield _TimedStep(self, step, self._open[-1])
            finally:
                self._stop_clock()
                self._open.pop()

    def _stop_clock(self) -> None:
        """Give the seconds since the last call to the innermost step."""
        now = self._clock()
        if self._open:
            self._add(self._open[-1], seconds=now - self._since)
        self._since = now

    def _add(self, row: int, *, amount: float = 0, seconds: float = 0.0) -> None:
        with self._lock:
            old = self._rows[row]
            self._rows[row] = replace(old, amount=old.amount + amount, seconds=old.seconds + seconds)


@dataclass(frozen=True)
class _TimedStep:
    timed: Timed
    step: Step
    row: int

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        self.timed._add(self.row, amount=amount)
        self.step.advance(amount, detail=detail)
