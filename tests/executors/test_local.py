"""Workers are real: they write files, raise, die, and end with their parent. A task here is the file it leaves."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dq.errors import BudgetError, InputError
from dq.executors import Executor, LocalExecutor, WorkerDiedError, report
from tests.processes import ROOT, alive, finish, python, session_of, until
from tests.progress import Heard

ALONE = LocalExecutor()


def files(folder: Path, count: int) -> list[Path]:
    return [folder / str(number) for number in range(count)]


def run(
    function: Callable[[Path], None], tasks: Sequence[Path], executor: Executor = ALONE, **options: Any
) -> list[float]:
    """Run tasks; how many were done after each."""
    heard = Heard()
    with heard.step("test") as step:
        executor.run(function, tasks, output=lambda path: path, step=step, **options)
    return heard.done


def square(path: Path) -> None:
    number = int(path.name)
    time.sleep(0.02 * (number % 3))
    path.write_text(str(number**2))


def process_of(path: Path) -> None:
    path.write_text(str(os.getpid()))


def begun(path: Path) -> Path:
    """A file with a letter for each time that a task began."""
    return path.with_suffix(".begun")


def begin(path: Path) -> int:
    """Note that a task begins, and say how often it has."""
    with begun(path).open("a") as log:
        log.write("x")
    return len(begun(path).read_text())


def fail_at_1(path: Path) -> None:
    begin(path)
    if path.name == "1":
        raise BudgetError("pool web: 5 tokens available, 9 needed")
    time.sleep(0 if path.name == "0" else 300)
    path.touch()


def raise_a_bug(path: Path) -> None:
    path.write_text(str(1 // int(path.name)))


def die_once_at_1(path: Path) -> None:
    """Task 1 is killed while task 0 is done and task 2 at work, the first time."""
    times = begin(path)
    if path.name == "1" and times == 1:
        until(lambda: path.with_name("0").exists() and begun(path.with_name("2")).exists())
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(30 if path.name == "2" and times == 1 else 0)
    path.touch()


def die_at_1(path: Path) -> None:
    begin(path)
    if path.name == "1":
        until(lambda: path.with_name("0").exists())
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0 if path.name == "0" else 300)
    path.touch()


def write_nothing(_path: Path) -> None:
    pass


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 4, 0, 2, 1]])
def test_every_task_leaves_its_file_and_is_counted_when_it_does(tmp_path: Path, order: list[int], workers: int) -> None:
    tasks = files(tmp_path, 5)
    assert run(square, [tasks[number] for number in order], LocalExecutor(workers)) == [1, 2, 3, 4, 5]
    assert [path.read_text() for path in tasks] == ["0", "1", "4", "9", "16"]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_done_is_not_done_again_and_counts(tmp_path: Path, workers: int) -> None:
    tasks = files(tmp_path, 6)
    for path in tasks[1:4]:
        path.write_text("of before")
    assert run(square, tasks, LocalExecutor(workers)) == [3, 4, 5, 6]
    assert [path.read_text() for path in tasks] == ["0", *["of before"] * 3, "16", "25"]
    assert run(raise_a_bug, tasks, LocalExecutor(workers), isolated=True) == [6]


def test_no_tasks_are_no_work() -> None:
    assert run(square, [], LocalExecutor(2), isolated=True) == []


def test_one_worker_or_one_task_stays_in_this_process_unless_it_is_isolated(tmp_path: Path) -> None:
    here, alone, elsewhere = tmp_path / "here", tmp_path / "alone", tmp_path / "elsewhere"
    run(process_of, [here])
    run(process_of, [alone], LocalExecutor(4))
    run(process_of, [elsewhere], isolated=True)
    assert int(here.read_text()) == int(alone.read_text()) == os.getpid()
    assert int(elsewhere.read_text()) != os.getpid()
    assert not alive(int(elsewhere.read_text()))


def test_workers_are_gone_afterwards(tmp_path: Path) -> None:
    tasks = files(tmp_path, 6)
    run(process_of, tasks, LocalExecutor(2))
    workers = {int(path.read_text()) for path in tasks}
    assert 1 <= len(workers) <= 2 and os.getpid() not in workers
    assert not any(alive(pid) for pid in workers)


def test_an_error_of_a_worker_is_the_same_error_here_ends_the_others_at_once_and_is_not_tried_again(
    tmp_path: Path,
) -> None:
    start, tasks = time.monotonic(), files(tmp_path, 3)
    with pytest.raises(BudgetError, match=r"^pool web: 5 tokens available, 9 needed$"):
        run(fail_at_1, tasks, LocalExecutor(2))
    assert time.monotonic() - start < 100
    assert begun(tasks[1]).read_text() == "x"
    assert not tasks[2].exists()


def test_a_bug_in_a_worker_is_not_disguised(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(raise_a_bug, files(tmp_path, 2), LocalExecutor(2))


@pytest.mark.parametrize("executor", [ALONE, LocalExecutor(2)])
def test_a_function_that_leaves_no_file_is_our_bug(tmp_path: Path, executor: Executor) -> None:
    with pytest.raises(AssertionError, match="write_nothing has not written"):
        run(write_nothing, files(tmp_path, 2), executor)


def test_a_killed_worker_is_replaced_and_what_was_finished_is_not_repeated(tmp_path: Path) -> None:
    tasks = files(tmp_path, 5)
    assert run(die_once_at_1, tasks, LocalExecutor(2)) == [1, 2, 3, 4, 5]
    assert all(path.exists() for path in tasks)
    assert [len(begun(path).read_text()) for path in tasks] == [1, 2, 2, 1, 1]


def test_workers_killed_twice_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    start, tasks = time.monotonic(), files(tmp_path, 3)
    with pytest.raises(WorkerDiedError) as caught:
        run(die_at_1, tasks, LocalExecutor(2))
    message = str(caught.value)
    assert message.startswith("a worker process died (killed, or out of memory); run the same command again")
    assert "\n" not in message
    assert time.monotonic() - start < 100
    assert tasks[0].exists() and begun(tasks[0]).read_text() == "x"
    assert begun(tasks[1]).read_text() == "xx"


def test_the_pool_works_again_after_errors(tmp_path: Path) -> None:
    for function, error in ((raise_a_bug, ZeroDivisionError), (die_at_1, WorkerDiedError)):
        folder = tmp_path / function.__name__
        folder.mkdir()
        with pytest.raises(error):
            run(function, files(folder, 2), LocalExecutor(2))
    run(square, files(tmp_path, 3), LocalExecutor(2))
    assert [path.read_text() for path in files(tmp_path, 3)] == ["0", "1", "4"]


def test_an_error_while_counting_ends_the_workers(tmp_path: Path) -> None:
    def refuse(done: float) -> None:
        raise InputError(f"counted {done}")

    start = time.monotonic()
    with pytest.raises(InputError, match="counted 1"), Heard(refuse).step("test") as step:
        tasks = [tmp_path / "0", tmp_path / "2"]
        LocalExecutor(2).run(fail_at_1, tasks, output=lambda path: path, step=step)
    assert time.monotonic() - start < 100


class Backwards(Executor):
    """All that another executor has to bring; it loses a worker at the first attempt, with a task done."""

    workers = 1
    attempts: int = 0

    def attempt(self, function: Callable[[Any], None], tasks: Sequence[Any], **hears: Any) -> None:
        self.attempts += 1
        for task in itertools.islice(reversed(tasks), None if self.attempts > 1 else 1):
            function(task)
            if self.attempts > 1:
                hears["on_done"](task)
        if self.attempts == 1:
            raise WorkerDiedError("lost")


def test_another_executor_brings_one_method(tmp_path: Path) -> None:
    tasks = files(tmp_path, 4)
    assert run(square, tasks, Backwards()) == [1, 2, 3, 4]  # the first was done, and its worker could not say so
    assert [path.read_text() for path in tasks] == ["0", "1", "4", "9"]


# Two tasks that never end: one computes in Python, one waits. Their process ids go into files.
ENDLESS = """
import os, sys, time
from pathlib import Path
from dq.executors import LocalExecutor

def forever(path):
    path.write_text(str(os.getpid()))
    while True:
        sum(range(1000)) if path.name == "0" else time.sleep(60)

if __name__ == "__main__":
    tasks = [Path(sys.argv[1]) / "0", Path(sys.argv[1]) / "1"]
    LocalExecutor(2).run(forever, tasks, output=lambda path: path.with_suffix(".done"))
"""


def started(folder: Path) -> list[int]:
    """The process ids of both tasks, as soon as both run."""
    paths = files(folder, 2)
    until(lambda: all(path.exists() and path.read_text() for path in paths))
    return [int(path.read_text()) for path in paths]


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


# A module whose import leaves the process id; of its tasks the first kills its worker, once.
TELLTALE = """
import os, signal
from pathlib import Path

with Path(os.environ["IMPORTED"]).open("a") as log:
    log.write(f"{os.getpid()}\\n")

def work(path):
    marker = path.with_suffix(".killed")
    if path.name == "0" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    written = path.with_suffix(".written")
    written.write_text(str(os.getpid()))
    written.rename(path)  # whole, as a task's output is: the other worker may be ended at any time
"""
USES_TELLTALE = """
import os, signal, sys, time
from pathlib import Path
from dq.executors import LocalExecutor
from telltale import work

if __name__ == "__main__":
    tasks = [Path(sys.argv[1]) / str(number) for number in range(4)]
    LocalExecutor(2).run(work, tasks, output=lambda path: path)
    os.kill(os.getpid(), signal.SIGINT)  # still this process's own, after workers that leave it to their parent
    time.sleep(20)
"""


def test_a_task_s_module_is_imported_once_for_all_workers_and_nothing_is_printed(tmp_path: Path) -> None:
    (tmp_path / "telltale.py").write_text(TELLTALE)
    (tmp_path / "uses_telltale.py").write_text(USES_TELLTALE)
    imported = tmp_path / "imported"
    done = finish(
        tmp_path / "uses_telltale.py", tmp_path, IMPORTED=str(imported), PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}"
    )
    assert done.stdout == ""
    assert done.stderr.startswith("Traceback") and done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert done.stderr.count("Traceback") == 1
    workers = {int((tmp_path / str(number)).read_text()) for number in range(4)}
    importers = [int(pid) for pid in imported.read_text().split()]
    assert len(importers) == 2  # the program and the fork server
    assert workers.isdisjoint(importers)


UNGUARDED = """
import sys
from pathlib import Path
from dq.executors import LocalExecutor
from squares import square

print("begun")
tasks = [Path(sys.argv[1]) / str(number) for number in range(4)]
LocalExecutor(2).run(square, tasks, output=lambda path: path)
print(*(path.read_text() for path in tasks))
"""


def test_a_script_whose_tasks_are_of_a_module_needs_no_guard(tmp_path: Path) -> None:
    (tmp_path / "squares.py").write_text("def square(path): path.write_text(str(int(path.name) ** 2))")
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = finish(tmp_path / "script.py", tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.stdout, done.stderr) == ("begun\n0 1 4 9\n", "")


PREPARED = """
import sys
from multiprocessing import forkserver
from pathlib import Path
from dq.executors import LocalExecutor
from dq.store.files import remove_partials

folders = [Path(sys.argv[1])] * 2
executor = LocalExecutor(2)
executor.prepare("leaves_its_process")
executor.attempt(remove_partials, folders, on_done=lambda task: None, on_report=None, isolated=False)
print(forkserver._forkserver._forkserver_pid, "leaves_its_process" in sys.modules)
"""


def test_workers_of_dq_s_own_tasks_come_from_the_process_that_was_prepared(tmp_path: Path) -> None:
    written = tmp_path / "imported"
    (tmp_path / "leaves_its_process.py").write_text(
        f"import os\nwith open({str(written)!r}, 'a') as log: log.write(f'{{os.getpid()}} False\\n')"
    )
    (tmp_path / "script.py").write_text(PREPARED)
    done = finish(tmp_path / "script.py", tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.stdout, done.stderr) == (written.read_text(), "")


def report_thrice(path: Path) -> None:
    for part in range(3):
        report((path.name, part))
    path.touch()


@pytest.mark.parametrize("executor", [ALONE, LocalExecutor(2)])
def test_reports_of_tasks_reach_the_caller_before_the_call_returns(tmp_path: Path, executor: Executor) -> None:
    seen: list[tuple[str, int]] = []
    run(report_thrice, files(tmp_path, 3), executor, on_report=seen.append)
    assert sorted(seen) == [(name, part) for name in "012" for part in range(3)]
    for name in "012":
        assert [part for owner, part in seen if owner == name] == [0, 1, 2]
    report("outside a task")
    assert len(seen) == 9


@pytest.mark.parametrize("executor", [ALONE, LocalExecutor(2)])
def test_an_error_while_listening_ends_the_run(tmp_path: Path, executor: Executor) -> None:
    def refuse(value: object) -> None:
        raise InputError(f"heard {value}")

    with pytest.raises(InputError, match="heard"):
        run(report_thrice, files(tmp_path, 3), executor, on_report=refuse)


def write_even(path: Path) -> None:
    if int(path.name) % 2 == 0:
        path.touch()


@pytest.mark.parametrize("executor", [ALONE, LocalExecutor(2)])
def test_tasks_that_may_stop_are_counted_when_they_are_done_and_asked_again_another_time(
    executor: Executor, tmp_path: Path
) -> None:
    tasks = files(tmp_path, 4)
    assert run(write_even, tasks, executor, may_stop=True)[-1] == 2
    assert [path.exists() for path in tasks] == [True, False, True, False]
    assert run(square, tasks, executor, may_stop=True)[-1] == 4
