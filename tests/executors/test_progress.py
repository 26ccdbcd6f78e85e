"""What steps record: in which order, how much, how long; and that whoever listens hears everything."""

from __future__ import annotations

import threading
import time

import pytest

from dq.executors import QUIET, Timed
from tests.progress import Heard


def test_each_step_is_a_row_in_the_order_in_which_they_began() -> None:
    timed = Timed()
    with timed.step("read", unit="rows", total=5) as read:
        read.advance(3)
        with timed.step("parse", unit="bytes") as parse:
            parse.advance(0.5)
        with timed.step("parse", unit="bytes"):
            pass
        read.advance()
    with timed.step("write"):
        pass
    assert [(row.name, row.unit, row.amount) for row in timed.times] == [
        ("read", "rows", 4),
        ("parse", "bytes", 0.5),
        ("parse", "bytes", 0),
        ("write", "", 0),
    ]


def test_seconds_of_steps_inside_steps_are_counted_once() -> None:
    timed = Timed()
    begin = time.perf_counter()
    with timed.step("outer"):
        time.sleep(0.02)
        for _ in range(2):
            with timed.step("inner"):
                time.sleep(0.05)
        time.sleep(0.02)
    elapsed = time.perf_counter() - begin
    outer, first, second = (row.seconds for row in timed.times)
    assert outer >= 0.04 and first >= 0.05 and second >= 0.05
    assert outer <= elapsed - 0.1
    assert timed.seconds("inner") == first + second
    assert timed.seconds("outer") == outer and timed.seconds("other") == 0
    assert outer + first + second <= elapsed


def test_a_step_that_an_error_ends_has_its_row_and_the_error_goes_on() -> None:
    heard = Heard()
    timed = Timed(heard)
    with pytest.raises(ZeroDivisionError), timed.step("outer"), timed.step("inner") as inner:
        inner.advance(2)
        raise ZeroDivisionError
    assert [(row.name, row.amount) for row in timed.times] == [("outer", 0), ("inner", 2)]
    assert heard.ended == 2
    with timed.step("after"):
        time.sleep(0.01)
    assert timed.seconds("after") >= 0.01


def test_whoever_listens_hears_what_is_timed() -> None:
    heard = Heard()
    with Timed(heard).step("read", unit="rows", total=2) as step:
        step.advance(detail="a.jsonl")
        step.advance(-1)
    assert heard.steps == [("read", "rows", 2)]
    assert (heard.done, heard.details) == ([1, 0], ["a.jsonl", ""])


def test_threads_advance_one_step_together() -> None:
    def advance_often() -> None:
        for _ in range(2000):
            step.advance()

    timed = Timed()
    with timed.step("sign") as step:
        threads = [threading.Thread(target=advance_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert timed.times[0].amount == 8000


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with QUIET.step("read", unit="rows", total=2) as step:
        step.advance(2, detail="a.jsonl")
    assert capfd.readouterr() == ("", "")
