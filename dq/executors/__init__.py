"""Run a list of independent tasks, here or elsewhere, and tell how far long work is."""

from dq.executors.base import ON_CPU, Executor, Placement, WorkerDiedError
from dq.executors.forked import require_live_polars
from dq.executors.local import LocalExecutor
from dq.executors.progress import QUIET, Progress, Quiet, Step, StepTime, Timed
from dq.executors.threads import run_in_threads, usable_cores
from dq.executors.worker import end_with_parent, report

__all__ = [
    "ON_CPU",
    "QUIET",
    "Executor",
    "LocalExecutor",
    "Placement",
    "Progress",
    "Quiet",
    "Step",
    "StepTime",
    "Timed",
    "WorkerDiedError",
    "end_with_parent",
    "report",
    "require_live_polars",
    "run_in_threads",
    "usable_cores",
]
