"""What the benchmarks share: text (JSON lines, or this project's own source and documentation) and a timer."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa

__all__ = ["best_seconds", "read_texts", "two_threads_ratio"]

OWN_COPIES = 20  # of the project's files: about 20 MB


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


def two_threads_ratio(work: Callable[[int], object], *, rounds: int) -> float:
    """How much faster ``work(2)`` is than ``work(1)`` by the wall clock: the median of pairs run one after another."""
    pairs = [
        [best_seconds(lambda n=threads: work(n), clock=time.perf_counter, rounds=1) for threads in (1, 2)]
        for _ in range(rounds)
    ]
    return statistics.median(one / two for one, two in pairs)
