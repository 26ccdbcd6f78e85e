"""What the benchmarks share: text (JSON lines, or this project's own source and documentation) and a timer."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import polars as pl
import pyarrow as pa

from dq.executors import run_in_threads

__all__ = ["TwoThreads", "best_seconds", "read_texts"]

OWN_COPIES = 20  # of the project's files: about 20 MB
SPIN_STEPS = 16_000_000  # some 50 ms


def read_texts(path: Path | None) -> list[str]:
    """The texts of a file (plain or .zst); without one, the project's own files several times over."""
    if path is None:
        root = Path(__file__).parent.parent
        files = sorted([*root.glob("dq/**/*.py"), *root.glob("tests/**/*.py"), *root.glob("*.md")])
        return [file.read_text("utf-8") for file in files] * OWN_COPIES
    raw = pa.input_stream(str(path), compression="zstd").read() if path.suffix == ".zst" else path.read_bytes()
    return [str(text) for text in pl.read_ndjson(io.BytesIO(raw))["text"]]


def best_seconds(
    work: Callable[[], object], *, clock: Callable[[], float] = time.process_time, rounds: int = 3
) -> float:
    """The least time of several rounds, after one that warms up."""
    work()
    best = float("inf")
    for _ in range(rounds):
        started = clock()
        work()
        best = min(best, clock() - started)
    return best


@dataclass(frozen=True)
class TwoThreads:
    """How much faster two threads are than one by the wall clock: medians of pairs run one after another.

    Attributes:
        ratio: of the work that is measured.
        machine: of arithmetic in registers, which shares nothing and waits for nothing. Two processors of a virtual
            machine are at times one core's, and then nothing is twice as fast on both.
    """

    ratio: float
    machine: float

    @classmethod
    def of(cls, work: Callable[[int], object], *, rounds: int) -> TwoThreads:
        """Measure ``work(threads)``."""
        pairs = [(_speedup(work), _speedup(_count_in_registers)) for _ in range(rounds)]
        return cls(*(statistics.median(ratios) for ratios in zip(*pairs, strict=True)))

    def __str__(self) -> str:
        """Both numbers."""
        return f"{self.ratio:.2f} times as fast with two threads (arithmetic in registers: {self.machine:.2f})"


def _speedup(work: Callable[[int], object]) -> float:
    one, two = (best_seconds(lambda n=n: work(n), clock=time.perf_counter, rounds=1) for n in (1, 2))
    return one / two


def _count_in_registers(threads: int) -> None:
    run_in_threads(_spin, [SPIN_STEPS // threads] * threads, threads=threads)


@numba.njit(nogil=True)
def _spin(steps: Any) -> Any:
    """Six chains that wait for nobody: more than a core's arithmetic units can take at once."""
    a = b = c = d = e = f = np.uint64(1)
    for step in range(steps):
        k = np.uint64(step)
        a = (a ^ a << np.uint64(3)) + k
        b = (b ^ b >> np.uint64(5)) + k
        c = (c ^ c << np.uint64(7)) + k
        d = (d ^ d >> np.uint64(9)) + k
        e = (e ^ e << np.uint64(11)) + k
        f = (f ^ f >> np.uint64(13)) + k
    return a ^ b ^ c ^ d ^ e ^ f
