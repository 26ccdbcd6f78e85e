"""Parts of a batch in threads: for kernels, which let go of the interpreter."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores that this process may use, where the system says so (Linux); else those there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_threads(function: Callable[[Part], Result], parts: Sequence[Part], *, threads: int) -> list[Result]:
    """Run ``function`` on every part, each taken by the next free thread; results are in the order of ``parts``.

    The calling thread is one of them and begins at once: a millisecond less than waiting for a pool, which is much for
    a batch of text. After an error, or Ctrl-C, no further part begins.

    Raises:
        Exception: whatever ``function`` raises, for one of the parts that failed.
    """
    waiting = deque(enumerate(parts))
    results: dict[int, Result] = {}

    def work() -> None:
        while True:
            try:
                number, part = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = function(part)
            except BaseException:
                waiting.clear()
                raise

    helpers = min(threads, len(parts)) - 1
    if helpers < 1:
        work()
    else:
        with ThreadPoolExecutor(helpers) as pool:
            others = [pool.submit(work) for _ in range(helpers)]
            work()
        for other in others:
            other.result()
    return [results[number] for number in range(len(parts))]
