"""Pages are parsed within limits: what takes too long or too much is refused, and its neighbours are read."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dq.executors import WorkerDiedError
from dq.pages import parser
from dq.pages.extracted import PageError, PageText, extracted
from dq.pages.parser import LIMITS, Limits, Parser, parser_of
from tests.corpus.crawl import answer, bad, crawl, good, record, rows, written
from tests.corpus.files import documents, quarantined, read
from tests.processes import alive, python, until

pytest.importorskip("resiliparse")

SMALL = replace(LIMITS["main"], seconds=0.2, memory=100_000_000)
BUSY = b"<select>" + b"<option>w" * 100_000
SOME_TIME = b"<b>x<p>" * 15_000
FORMATS = "".join(f"<b id={n}>" for n in range(500))


@contextmanager
def parsing(limits: Limits = LIMITS["main"], what: PageText = "main") -> Iterator[Parser]:
    one = Parser(what, limits)
    try:
        yield one
    finally:
        one.stop()


def reason_of(one: Parser, html: str | bytes) -> str:
    with pytest.raises(PageError) as found:
        one.read(html.encode() if isinstance(html, str) else html, content_type="")
    return str(found.value)


@pytest.mark.parametrize(
    "html",
    [
        "<span></x>w" * 100_000,
        "<table>w<td>" * 100_000,
        "<form><span></form>" * 50_000,
        f"<div>{FORMATS}</div>" + "<p>x" * 20_000,
        "".join(f"<div><b id={n}><!--</b>-->w</div>" for n in range(20_000)),
        "<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">w",
        "".join(f"<body a{n}=1>" for n in range(100_000)),
        BUSY.decode(),
    ],
    ids=lambda html: html[:24],
)
def test_pages_that_take_minutes_or_gigabytes_are_refused_and_the_next_one_is_read(html: str) -> None:
    with parsing(SMALL) as one:
        started = time.process_time()
        assert reason_of(one, html) in ("page_too_slow", "page_too_large")
        assert time.process_time() - started < 0.2  # here; the other process has its limit
        assert one.read(b"<p>the next one", content_type="").text == "the next one"


def test_the_limits_are_those_that_are_given() -> None:
    large = f"<div>{FORMATS}</div>" + "<p>x" * 500  # 60 MB
    with parsing(replace(SMALL, memory=20_000_000)) as one:
        assert reason_of(one, large) == "page_too_large"
    with parsing(replace(SMALL, memory=200_000_000, seconds=20)) as one:
        assert one.read(large.encode(), content_type="").text.count("x") == 500
        before = one.pid
        assert one.read(SOME_TIME, content_type="").text.count("x") == 15_000
        assert one.pid == before
    with parsing(replace(SMALL, memory=200_000_000, seconds=0.05)) as one:
        assert reason_of(one, SOME_TIME) == "page_too_slow"
    with parsing(replace(SMALL, bytes=20)) as one:
        assert reason_of(one, "<p>" + "x" * 18) == "page_too_large"
        assert one.read(b"<p>" + b"x" * 17, content_type="").text == "x" * 17


def test_want_of_memory_is_told_whatever_the_libraries_make_of_it() -> None:
    pytest.importorskip("trafilatura")
    page = ("<article>" + "<p>Some words that are told to whoever reads a page, one after another.</p>" * 3000).encode()
    with parsing(LIMITS["trafilatura"], "trafilatura") as one:
        text = one.read(page, content_type="").text
        assert text == extracted(page, content_type="", what="trafilatura").text
        assert len(text) > 200_000
    with parsing(replace(LIMITS["trafilatura"], memory=6_000_000), "trafilatura") as one:
        assert reason_of(one, page) == "page_too_large"


def test_a_page_is_read_that_was_parsed_when_its_process_was_killed() -> None:
    with parsing() as one:
        whole = one.read(SOME_TIME, content_type="")
        first = one.pid
        assert first is not None
        seconds = processor_seconds(first)

        def kill() -> None:
            until(lambda: processor_seconds(first) > seconds + 0.02)  # it is at work on the page
            os.kill(first, signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        assert one.read(SOME_TIME, content_type="") == whole
        killing.join()
        assert one.pid != first
        os.kill(one.pid or 0, signal.SIGKILL)  # also between two pages
        assert one.read(b"<p>after it", content_type="").text == "after it"


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGKILL, "page_too_large"), (signal.SIGSEGV, "broken_html")], ids=str
)
def test_a_page_at_which_two_processes_end_is_listed(number: signal.Signals, reason: str) -> None:
    with parsing() as one:
        ended: set[int] = set()

        def end_two() -> None:
            while len(ended) < 2:
                pid = one.pid
                if pid is not None and pid not in ended and processor_seconds(pid) > 0.15:
                    os.kill(pid, number)
                    ended.add(pid)
                time.sleep(0.01)

        ending = threading.Thread(target=end_two)
        ending.start()
        assert reason_of(one, BUSY) == reason
        ending.join()


def processor_seconds(pid: int) -> float:
    """Of another process (Linux, CPUCLOCK_SCHED)."""
    return time.clock_gettime((~pid << 3) | 2)


def test_a_process_that_is_kept_from_working_is_replaced() -> None:
    with parsing(replace(SMALL, waited_seconds=2)) as one:
        one.read(b"<p>x", content_type="")
        os.kill(one.pid or 0, signal.SIGSTOP)
        assert one.read(b"<p>read all the same", content_type="").text == "read all the same"


def test_where_no_process_can_be_had_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for program, said in (("/nowhere/python", "No such file"), ("/bin/false", "/bin/false ended with status 1")):
        monkeypatch.setattr(sys, "executable", program)
        with parsing() as one, pytest.raises(WorkerDiedError, match=f"no process can be had that parses.*{said}"):
            one.read(b"<p>x", content_type="")


OWNER = """
import os, sys, time
from dq.pages.parser import parser_of
parser = parser_of("main")
assert parser.read(b"<p>x", content_type="").text == "x"
forked = os.fork()
if not forked:
    mine = parser_of("main")
    assert mine.pid is None and mine.read(b"<p>forked", content_type="").text == "forked" and mine.pid != parser.pid
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 7
assert parser.read(b"<p>y", content_type="").text == "y"
print(parser.pid, flush=True)
parser.read(b"<p>x" if sys.argv[1] == "idle" else b"<table>w<td>" * 100_000, content_type="")
time.sleep(60)
"""


@pytest.mark.parametrize("at", ["idle", "busy"])
def test_the_process_ends_with_the_one_that_it_parses_for_and_a_fork_has_its_own(at: str) -> None:
    with python(OWNER, at) as owner:
        assert owner.stdout is not None
        line = owner.stdout.readline()
        assert line.strip().isdigit(), owner.communicate()[1]
        pid, begun = int(line), 0.0 if at == "idle" else processor_seconds(int(line)) + 0.1
        until(lambda: processor_seconds(pid) > begun)
        owner.kill()
        until(lambda: not alive(pid), seconds=5)


@pytest.mark.needs_shared
def test_real_pages_are_the_same_as_parsed_in_this_process(shared: Path) -> None:
    path = shared / "data/warc/dolma-sample-0000.warc.gz"
    found = good(rows(path))
    sources = good(rows(path, page_text="html"))
    assert len(found) == len(sources) > 10
    for one, source in zip(found, sources, strict=True):
        if source.fields["text"] != one.fields["text"]:  # not plain text
            here = extracted(source.fields["text"].encode(), content_type="text/html; charset=utf-8", what="main")
            assert (here.text, here.title) == (one.fields["text"], one.fields.get("title", ""))


def test_a_crawl_with_pages_that_take_too_much_is_read_but_for_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parser.LIMITS, "main", SMALL)
    monkeypatch.setattr(parser, "_parsers", {})
    large = f"<div>{FORMATS}</div>" + "<p>x" * 20_000
    honest = crawl(6)
    hostile = [record("response", answer(html), number=90) for html in (BUSY, large.encode())]
    path = written(tmp_path / "a.warc.gz", [*honest[:5], hostile[0], *honest[5:7], hostile[1], *honest[7:]])
    found = rows(path, limit=10_000_000)
    assert [(one.line, one.reason) for one in bad(found)] == [(6, "page_too_slow"), (9, "page_too_large")]
    alone = good(rows(written(tmp_path / "b.warc.gz", honest)))
    assert [one.fields for one in good(found)] == [one.fields for one in alone]
    (tmp_path / "busy.html").write_bytes(BUSY)
    (tmp_path / "page.html").write_bytes(b"<title>A title</title><p>a page")
    corpus = read([tmp_path / "busy.html", tmp_path / "page.html"], tmp_path / "out")
    assert [row["reason"] for row in quarantined(corpus.folder)] == ["page_too_slow"]
    assert [row["text"] for row in documents(corpus)] == ["a page"]
    parser_of("main").stop()
