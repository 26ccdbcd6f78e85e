"""Polars after a fork: a clear error where it would wait for ever.

Polars keeps its threads in a pool that starts with the first query. A fork copies the memory that says so and none of
the threads, so the first query of the child never ends; ``multiprocessing`` on Linux, ``num_proc`` of `datasets` and
the workers of a torch ``DataLoader`` fork by default. Whatever asks polars for more than it does in the calling thread
calls `require_live_polars` first. Compiled kernels survive a fork: scores alone work.
"""

from __future__ import annotations

import multiprocessing
import os
import threading

from dq.errors import ForkError

ANSWER_SECONDS = 5.0  # a query of one row takes a millisecond; a machine with no time to spare takes longer

_FORKED = (
    "this process was forked from one that had used polars, which would now wait for ever: start workers by spawn, "
    'with multiprocessing.get_context("spawn"), multiprocess.set_start_method("spawn") for num_proc of datasets, or '
    'multiprocessing_context="spawn" for a DataLoader; or use dq in the workers alone'
)


class _Known:
    """What this process knows of itself, by process number: a forked child inherits what its parent knew."""

    # In the child of another process that imports dq anew, nothing is known of what the parent used.
    alive_in = os.getpid() if multiprocessing.parent_process() is None else -1
    dead_in = -1


def require_live_polars() -> None:
    """Go on where polars answers in this process; costs a comparison after the first time.

    Raises:
        ForkError: the process was forked from one in which polars had run.
    """
    if _Known.alive_in == os.getpid():
        return
    if _Known.dead_in != os.getpid() and _polars_answers():
        _Known.alive_in = os.getpid()
        return
    _Known.dead_in = os.getpid()
    raise ForkError(_FORKED)


def _polars_answers() -> bool:
    asked = threading.Thread(target=_query, daemon=True)
    asked.start()
    asked.join(ANSWER_SECONDS)
    return not asked.is_alive()


def _query() -> None:
    """The smallest query that needs the pool: two columns are computed side by side."""
    import polars as pl  # noqa: PLC0415 - workers that need none of it start without

    pl.DataFrame({"a": [1]}).select(pl.col("a").max(), b=pl.col("a").sum())
