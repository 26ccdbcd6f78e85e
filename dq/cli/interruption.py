"""Ctrl-C and SIGTERM: what was begun ends in order, and one line says how to go on.

Both raise `KeyboardInterrupt` in the main thread, so that workers are stopped, locks given back and partial files
removed on the way out, as after an error.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from dq.cli import show

GOES_ON = ("quickstart", "run", "ablate", "score", "filter", "dedup", "passages")
"""The commands that find what they had finished."""
WRITES_NOTHING = ("--dry-run", "--explain")
REPEATED_SECONDS = 1.0
"""Several of one signal within that time are one: `timeout` and schedulers send it to a process and to its group."""


class Interrupted(KeyboardInterrupt):
    """A signal ends the command.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise `Interrupted` inside the block; one that the parent has had ignored stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = -REPEATED_SECONDS

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= REPEATED_SECONDS:
            raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(code: int) -> None:
    """From here on a signal ends the process with this code: all is done, and Python takes its leave."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        show.flush()
        os._exit(code)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def message(arguments: Sequence[str]) -> str:
    """What a command that was interrupted says."""
    goes_on = any(word in GOES_ON for word in arguments[:1]) and not any(word in WRITES_NOTHING for word in arguments)
    return "interrupted; the same command goes on from here" if goes_on else "interrupted; run the command again"


def exit_code(error: KeyboardInterrupt) -> int:
    """128 and the signal's number, as shells have it."""
    return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)
