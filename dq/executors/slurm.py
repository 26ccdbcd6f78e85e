"""The cores of a Slurm cluster: an array of jobs, a task each.

Every node sees the same folders under the same names and has dq installed; this process, on any node that may submit,
finds work, counts it and does what is not cut into tasks. What a task needs and what came of it are files in a folder
that all nodes see; the queue is asked which tasks are still in it, which needs no accounting. Slurm starts a task anew
whose node went down, which is safe: a task's result is a file that is written last.

Partition, time, memory and account are Slurm's own: the variables that `sbatch` reads (``SBATCH_PARTITION``,
``SBATCH_TIMELIMIT``, ``SBATCH_MEM_PER_CPU``), or arguments for it.
"""

from __future__ import annotations

import os
import pickle
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dq.arguments import whole_number
from dq.errors import ConfigError, DqError
from dq.executors.base import Executor, WorkerDiedError
from dq.executors.worker import reports_to
from dq.store.files import write_bytes_atomic

Task = TypeVar("Task")

MAX_ARRAY = 1000  # Slurm takes 1,001 by default (MaxArraySize)
LATE_POLLS = 5  # a shared file system may show a file so much later than the queue forgets its task


@dataclass(frozen=True)
class SlurmExecutor(Executor):
    """So many tasks of one core at a time on a Slurm cluster.

    Attributes:
        workers: tasks at a time.
        folder: where calls are kept while they last, and the logs of those that failed; every node must see it.
        sbatch: more arguments of `sbatch`, such as ``--mem-per-cpu=4G``.
        poll_seconds: between two questions to the queue.
    """

    workers: int = 64
    folder: Path = Path(".dq-slurm")
    sbatch: tuple[str, ...] = ()
    poll_seconds: float = 2.0

    def __post_init__(self) -> None:
        whole_number(self.workers, name="workers", least=1)
        if shutil.which("sbatch") is None:
            raise ConfigError("no `sbatch` here: run this where jobs are submitted to Slurm", field="executor")

    def attempt(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        """Run every task once, in jobs of Slurm's."""
        del isolated  # they always are
        tell = on_report or (lambda _value: None)
        for first in range(0, len(tasks), MAX_ARRAY):
            part = tasks[first : first + MAX_ARRAY]
            with _call(self.folder, function, part) as call:
                job = _submitted(call, len(part), at_a_time=self.workers, sbatch=self.sbatch)
                with _gone_afterwards(job, poll_seconds=self.poll_seconds):
                    for number, reports in _ended(call, job, count=len(part), poll_seconds=self.poll_seconds):
                        for value in reports:
                            tell(value)
                        on_done(part[number])


@dataclass(frozen=True)
class _Call:
    """A function and tasks on their way to nodes: files that this user's processes alone write and read."""

    folder: Path

    @property
    def pickled(self) -> Path:
        """The function and the tasks."""
        return self.folder / "call"

    @property
    def script(self) -> Path:
        """What a job runs."""
        return self.folder / "script"

    def log(self, number: int | str) -> Path:
        """What a job printed."""
        return self.folder / f"{number}.log"

    def answer(self, number: int) -> Path:
        """What came of a task."""
        return self.folder / f"{number}.answer"


@contextmanager
def _call(folder: Path, function: Callable[[Task], None], tasks: Sequence[Task]) -> Iterator[_Call]:
    """A call's files, which stay where a job died: its log says why."""
    call = _Call(folder.absolute() / uuid.uuid4().hex)
    call.folder.mkdir(parents=True)
    call.folder.chmod(0o700)
    write_bytes_atomic(call.pickled, pickle.dumps((function, list(tasks))))
    command = shlex.join([sys.executable, "-m", "dq.executors.slurm", str(call.folder)])
    call.script.write_text(f"#!/bin/sh\nexec {command}\n")
    try:
        yield call
    except WorkerDiedError:
        raise
    except BaseException:
        shutil.rmtree(call.folder)
        raise
    shutil.rmtree(call.folder)


def _submitted(call: _Call, count: int, *, at_a_time: int, sbatch: Sequence[str]) -> str:
    """The number of an array of jobs."""
    command = [
        "sbatch", "--parsable", "--job-name=dq", "--requeue", "--cpus-per-task=1", f"--array=0-{count - 1}%{at_a_time}",
        f"--output={call.log('%a')}", "--open-mode=append", *sbatch, str(call.script),
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(f"sbatch: {' '.join(done.stderr.split())}", field="executor")
    return done.stdout.partition(";")[0].strip()


@contextmanager
def _gone_afterwards(job: str, *, poll_seconds: float) -> Iterator[None]:
    """No job of the array is left, after an error or Ctrl-C either."""
    try:
        yield
    finally:
        if _queued(job):
            subprocess.run(["scancel", job], check=False, capture_output=True)
            while _queued(job):
                time.sleep(poll_seconds)


def _ended(call: _Call, job: str, *, count: int, poll_seconds: float) -> Iterator[tuple[int, list[Any]]]:
    """Tasks by number as they end, with what they reported.

    Raises:
        WorkerDiedError: a task left the queue without an answer.
        DqError: whatever a task raised.
    """
    waiting, missed = set(range(count)), 0
    while waiting:
        queued = _queued(job)  # asked before the answers are looked at: what is in neither has died
        for number in sorted(one for one in waiting if call.answer(one).exists()):
            waiting.discard(number)
            yield number, _answer(call.answer(number))
        missed = missed + 1 if waiting - queued else 0
        if missed > LATE_POLLS:
            lost = min(waiting - queued)
            raise WorkerDiedError(
                f"a job of the Slurm array {job} ended without an answer (killed, out of memory or time); its log is "
                f"{call.log(lost)}; run the same command again to go on"
            )
        if waiting:
            time.sleep(poll_seconds)


def _answer(path: Path) -> list[Any]:
    error, reports = pickle.loads(path.read_bytes())  # noqa: S301  of our own process on another node
    if error is not None:
        raise error
    found: list[Any] = reports
    return found


def _queued(job: str) -> set[int]:
    """The tasks of an array that wait or work; none once the queue has forgotten it."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%K", f"--jobs={job}"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if asked.returncode and "Invalid job id" not in asked.stderr:
        raise DqError(f"squeue: {asked.stderr.strip()}; run the same command again to go on")
    return {int(word) for word in asked.stdout.split() if word.isdecimal()}


def work(folder: Path, number: int) -> None:
    """What a job does: its task, in the folder of whoever submitted it; the answer is written last and whole."""
    call, reports = _Call(folder), list[Any]()
    function, tasks = pickle.loads(call.pickled.read_bytes())  # noqa: S301  of our own process on another node
    error: BaseException | None = None
    try:
        with reports_to(reports.append):
            function(tasks[number])
    except Exception as caught:
        error = caught
    write_bytes_atomic(call.answer(number), pickle.dumps((error, reports)))


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(os.environ["SLURM_ARRAY_TASK_ID"]))
