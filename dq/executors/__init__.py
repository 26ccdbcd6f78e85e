"""Run a list of independent tasks: here on the cores of this machine."""

from dq.executors.local import run_tasks
from dq.executors.threads import run_in_threads
from dq.executors.worker import end_with_parent, report

__all__ = ["end_with_parent", "report", "run_in_threads", "run_tasks"]
