"""A progress that remembers what it was told, and may act on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Heard:
    """Everything that was told, in order."""

    act: Callable[[float], None] = lambda _done: None
    """Called after each advance with the units done in the step."""
    steps: list[tuple[str, str, float | None]] = field(default_factory=list)
    """Name, unit and total of each step."""
    done: list[float] = field(default_factory=list)
    """Units done in the step after each advance."""
    details: list[str] = field(default_factory=list)
    ended: int = 0

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[_HeardStep]:
        self.steps.append((name, unit, total))
        try:
            yield _HeardStep(self)
        finally:
            self.ended += 1


@dataclass
class _HeardStep:
    heard: Heard
    done: float = 0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        self.done += amount
        self.heard.done.append(self.done)
        self.heard.details.append(detail)
        self.heard.act(self.done)
