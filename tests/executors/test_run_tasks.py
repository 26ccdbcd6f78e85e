"""Workers are real: they return, raise, die, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dq.errors import BudgetError, DqError, InputError
from dq.executors import report, run_tasks
from tests.processes import alive, finish, python, session_of, until


def slow_square(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number * number


def process_of(_number: int) -> int:
    return os.getpid()


def raise_budget_error(number: int) -> int:
    if number == 1:
        raise BudgetError("pool web: 5 tokens available, 9 needed")
    time.sleep(0 if number == 0 else 30)
    return number


def raise_a_bug(number: int) -> int:
    return 1 // (number - 1)


def die(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0 if number == 0 else 30)
    return number


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_are_in_the_order_of_the_tasks(workers: int) -> None:
    seen: dict[int, int] = {}
    tasks = [5, 3, 4, 0, 2, 1]
    results = run_tasks(slow_square, tasks, workers=workers, on_done=seen.__setitem__)
    assert results == [25, 9, 16, 0, 4, 1]
    assert seen == dict(enumerate(results))


def test_no_tasks_are_no_work() -> None:
    assert run_tasks(slow_square, [], workers=2) == []
    assert run_tasks(slow_square, [], workers=2, always_fork=True) == []


def test_one_worker_or_one_task_stays_in_this_process_unless_told_otherwise() -> None:
    assert run_tasks(process_of, [1, 2], workers=1) == [os.getpid()] * 2
    assert run_tasks(process_of, [1], workers=4) == [os.getpid()]
    (elsewhere,) = run_tasks(process_of, [1], workers=1, always_fork=True)
    assert elsewhere != os.getpid()
    assert not alive(elsewhere)


def test_workers_are_gone_afterwards() -> None:
    workers = run_tasks(process_of, list(range(6)), workers=2)
    assert 1 <= len(set(workers)) <= 2
    assert not any(alive(pid) for pid in workers)


def test_an_error_of_a_worker_is_the_same_error_here_and_ends_the_others_at_once() -> None:
    begin = time.monotonic()
    with pytest.raises(BudgetError, match=r"^pool web: 5 tokens available, 9 needed$"):
        run_tasks(raise_budget_error, [0, 1, 2], workers=2)
    assert time.monotonic() - begin < 15


def test_a_bug_in_a_worker_is_not_disguised() -> None:
    with pytest.raises(ZeroDivisionError):
        run_tasks(raise_a_bug, [0, 1], workers=2)


def test_a_killed_worker_is_one_line_that_says_what_to_do() -> None:
    begin = time.monotonic()
    with pytest.raises(DqError) as caught:
        run_tasks(die, [0, 1, 2], workers=2)
    message = str(caught.value)
    assert message.startswith("a worker process died (killed, or out of memory); run the same command again")
    assert "\n" not in message
    assert time.monotonic() - begin < 15


def test_the_pool_works_again_after_errors() -> None:
    for function in (raise_a_bug, die):
        with pytest.raises((DqError, ZeroDivisionError)):
            run_tasks(function, [1, 0], workers=2)
    assert run_tasks(slow_square, [1, 2], workers=2) == [1, 4]


def raise_in_callback(index: int, result: int) -> None:
    raise InputError(f"callback {index} {result}")


def test_an_error_while_counting_ends_the_workers() -> None:
    begin = time.monotonic()
    with pytest.raises(InputError, match="callback 0 0"):
        run_tasks(raise_budget_error, [0, 2], workers=2, on_done=raise_in_callback)
    assert time.monotonic() - begin < 15


# Two tasks that never end: one computes in Python, one waits. Their process ids go into files.
ENDLESS = """
import os, sys, time
from pathlib import Path
from dq.executors import report, run_tasks

def forever(path):
    Path(path).write_text(str(os.getpid()))
    while True:
        sum(range(1000)) if path.endswith("0") else time.sleep(60)

if __name__ == "__main__":
    run_tasks(forever, [sys.argv[1] + "/0", sys.argv[1] + "/1"], workers=2)
"""


def started(folder: Path) -> list[int]:
    """The process ids of both tasks, as soon as both run."""
    files = [folder / "0", folder / "1"]
    until(lambda: all(path.exists() and path.read_text() for path in files))
    return [int(path.read_text()) for path in files]


@contextmanager
def program(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The endless program as a file: workers import the program that they belong to."""
    path = folder / "endless.py"
    path.write_text(ENDLESS)
    with python(path, folder) as process:
        yield process


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with program(tmp_path) as process:
        workers = started(tmp_path)
        assert all(alive(pid) for pid in workers)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not session_of(process.pid), seconds=10)
        assert not any(alive(pid) for pid in workers)


@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_ends_the_parent_and_its_workers_at_once(tmp_path: Path, whole_group: bool) -> None:
    with program(tmp_path) as process:
        workers = started(tmp_path)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode != 0
        assert err.count("Traceback") == 1, err
        assert err.rstrip().endswith("KeyboardInterrupt")
        until(lambda: not session_of(process.pid), seconds=10)
        assert not any(alive(pid) for pid in workers)


def test_ctrl_c_while_workers_start_leaves_no_worker_and_no_noise_of_theirs(tmp_path: Path) -> None:
    with program(tmp_path) as process:
        until(lambda: len(session_of(process.pid)) >= 3)  # the resource tracker and the fork server, or a worker
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err.count("Traceback") <= 1, err
        until(lambda: not session_of(process.pid), seconds=10)


def test_ctrl_c_while_the_parent_works_alone_still_reaches_it() -> None:
    code = (
        "import os, signal, time\n"
        "from dq.executors.local import run_tasks\n"
        "if __name__ == '__main__':\n"
        "    run_tasks(abs, [1, 2], workers=2)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(20)\n"
        "    print('missed')\n"
    )
    done = finish(code)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert done.stdout == ""


def report_thrice(task: int) -> int:
    for part in range(3):
        report((task, part))
    return task


def test_reports_of_tasks_reach_the_caller_before_the_call_returns() -> None:
    seen: list[tuple[int, int]] = []
    run_tasks(report_thrice, [1, 2, 3], workers=2, on_report=seen.append)
    assert sorted(seen) == [(task, part) for task in (1, 2, 3) for part in range(3)]
    for task in (1, 2, 3):
        assert [part for owner, part in seen if owner == task] == [0, 1, 2]


def loaded(name: str) -> bool:
    return name in sys.modules


def test_each_call_has_its_own_modules_preloaded() -> None:
    assert run_tasks(loaded, ["wave", "wave"], workers=2, preload=["colorsys"]) == [False, False]
    assert run_tasks(loaded, ["wave", "wave"], workers=2, preload=["wave"]) == [True, True]
