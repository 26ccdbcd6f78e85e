"""Progress in a notebook: the steps of a cell, a line each, drawn again in place while they are at work."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dq.cli.log import LoggedStep, duration

DRAW_SECONDS = 0.25
MAX_DONE = 12  # lines of steps that have ended
MAX_DETAIL = 40  # characters of what a step is at


class CellStep:
    """A step at work: a line."""

    def __init__(self, step: LoggedStep, moved: Callable[[], None]) -> None:
        self.step, self.detail, self._moved = step, "", moved

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Move on, and name what is being worked on."""
        self.step.advance(amount)
        self.detail = detail or self.detail
        self._moved()

    def line(self, now: float) -> str:
        """What is done, how fast, what is left, and what it is at."""
        at = self.detail if len(self.detail) <= MAX_DETAIL else f"…{self.detail[-MAX_DETAIL:]}"
        return f"{self.step.line(now)}{at and f' · {at}'}"


class Cell:
    """A `Progress` of executors.

    Args:
        draw: takes the HTML of all lines, each time in place of that before.
        visible: spells out what could change the look of a line: names are untrusted text.
    """

    def __init__(self, draw: Callable[[str], None], *, visible: Callable[[str], str]) -> None:
        self._draw, self._visible = draw, visible
        self._done: list[str] = []
        self._open: list[CellStep] = []
        self._drawn = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[CellStep]:
        """A line from here on; in the end it says how long the step took."""
        step = CellStep(LoggedStep(name, unit, total), self._moved)
        self._open.append(step)
        self._moved()
        try:
            yield step
            self._done.append(f"{name}: done in {duration(time.monotonic() - step.step.began)}")
        finally:
            self._open.remove(step)
            self.draw()

    def _moved(self) -> None:
        if time.monotonic() - self._drawn >= DRAW_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Draw all lines now."""
        with self._lock:
            self._drawn = time.monotonic()
            lines = [*self._done[-MAX_DONE:], *(step.line(self._drawn) for step in self._open)]
            self._draw(f"<pre>{html.escape(chr(10).join(map(self._visible, lines)))}</pre>")
