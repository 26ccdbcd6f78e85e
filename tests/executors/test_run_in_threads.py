"""Threads share the parts of a batch: order, who works, and what an error or Ctrl-C leaves undone."""

from __future__ import annotations

import threading
import time

import pytest

from dq.executors import run_in_threads


def slow_square(number: int) -> int:
    time.sleep(0.005 * (number % 3))
    return number * number


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
@pytest.mark.parametrize("parts", [range(0), range(1), range(20)])
def test_results_are_in_the_order_of_the_parts(threads: int, parts: range) -> None:
    assert run_in_threads(slow_square, parts, threads=threads) == [number * number for number in parts]


def test_the_calling_thread_works_beside_the_others() -> None:
    together = threading.Barrier(3, timeout=10)  # none passes before three parts run at once

    def who(_part: int) -> threading.Thread:
        together.wait()
        return threading.current_thread()

    workers = run_in_threads(who, range(3), threads=3)
    assert threading.current_thread() in workers
    assert len(set(workers)) == 3


def test_one_thread_starts_no_other() -> None:
    assert set(run_in_threads(lambda _: threading.current_thread(), range(5), threads=1)) == {
        threading.current_thread()
    }


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyboardInterrupt])
@pytest.mark.parametrize("here", [True, False])
def test_after_an_error_in_any_thread_no_further_part_begins(error: type[BaseException], *, here: bool) -> None:
    begun: list[int] = []
    together = threading.Barrier(2, timeout=10)
    failed = threading.Event()

    def fail_in_one(part: int) -> None:
        begun.append(part)
        together.wait()
        if (threading.current_thread() is threading.main_thread()) == here:
            failed.set()
            raise error("part failed")
        failed.wait(10)
        time.sleep(0.3)  # the other thread is between raising and giving up the rest

    with pytest.raises(error, match="part failed"):
        run_in_threads(fail_in_one, range(50), threads=2)
    assert sorted(begun) == [0, 1]
