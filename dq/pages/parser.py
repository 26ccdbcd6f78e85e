"""Pages parsed in a process beside this one, so that none takes more time or memory than a page may.

What a page costs is not told by looking at it: 85 kB of formatting that is never closed take 4 GB, 100,000 choices of a
form minutes. The process (`dq.pages.child`) ends where a page takes too much, and another one reads the next page. It
is started at the first page, as a program of its own, since threads and locks do not survive a fork, and it ends with
this process: killed by the system on Linux, elsewhere when its socket closes or the time of its page is over.

The limits are far from what people write, so that results do not depend on the machine: ten megabytes of small cells of
a table take resiliparse 3 seconds and 0.5 GB, and of paragraphs of a word 5 seconds and 0.8 GB; a megabyte of small
cells takes trafilatura 5 seconds.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass

from dq.executors import WorkerDiedError
from dq.pages.child import ANSWER, REQUEST
from dq.pages.extracted import Page, PageError, PageText, extracted

PROGRAM = "import os, sys; sys.path[:] = sys.argv.pop().split(os.pathsep); from dq.pages.child import main; main()"
FAULTS = {-signal.SIGABRT: "page_too_large", -signal.SIGKILL: "page_too_large"}
"""By the signals that end a process which takes too much memory, by itself or by a system that does not have it."""


@dataclass(frozen=True)
class Limits:
    """What a page may have and take."""

    bytes: int
    """Of its HTML."""
    seconds: float
    """Of a processor."""
    memory: int = 1 << 30
    """Bytes beside those of the process before it. The process is refused a quarter more."""
    waited_seconds: float = 600
    """By the clock, for a process that is kept from working."""


LIMITS: dict[PageText, Limits] = {
    "main": Limits(bytes=10_000_000, seconds=10),  # Common Crawl keeps 1 to 5 MB of a page
    "all": Limits(bytes=10_000_000, seconds=10),
    "trafilatura": Limits(bytes=1_000_000, seconds=30),
}


def read_page(raw: bytes, *, content_type: str, what: PageText) -> Page:
    """The text of a page.

    Args:
        raw: as it was sent.
        content_type: as the server gave it; its charset comes before what the page says of itself.
        what: of the page.

    Raises:
        PageError: it is too large, takes too long, or is nested too deep, or no HTML that can be parsed.
        WorkerDiedError: no process can be had that parses.
    """
    if what == "html":
        return extracted(raw, content_type=content_type, what=what)
    return parser_of(what).read(raw, content_type=content_type)


class Parser:
    """A process that parses pages, started where there is none."""

    def __init__(self, what: PageText, limits: Limits) -> None:
        self._what, self._limits = what, limits
        self._lock = threading.Lock()
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._running[0].pid if self._running else None

    def read(self, raw: bytes, *, content_type: str) -> Page:
        """The text of a page, as `read_page` gives it."""
        if len(raw) > self._limits.bytes:
            raise PageError("page_too_large")
        said = content_type.encode("utf-8", "surrogatepass")
        with self._lock:
            reason, charset, published, title, text = self._answered(REQUEST.pack(len(said), len(raw)) + said + raw)
        if reason:
            raise PageError(reason)
        return Page(text, title, published, charset)

    def stop(self) -> int:
        """End the process, where there is one; how it ended."""
        if self._running is None:
            return 0
        (process, link), self._running = self._running, None
        link.close()
        process.kill()
        return process.wait()

    def leave(self) -> None:
        """Let go of a process that is another one's, from which this one was forked."""
        if self._running is not None:
            process, link = self._running
            link.close()
            process.returncode = 0

    def _answered(self, request: bytes) -> list[str]:
        """The answer to a request; where none comes, of a new process too, the reason that the page is listed with.

        To a new process nothing has happened before, so that a page is judged alone.
        """
        for again in (False, True):
            try:
                return self._asked(request)
            except (OSError, EOFError) as error:
                status = self.stop()
                if status == -signal.SIGPROF or (again and isinstance(error, TimeoutError)):
                    return ["page_too_slow", "", "", "", ""]
                if again and status >= 0:
                    why = error if error.args else f"{sys.executable} ended with status {status}"
                    raise WorkerDiedError(f"no process can be had that parses pages: {why}") from None
        return [FAULTS.get(status, "broken_html"), "", "", "", ""]

    def _asked(self, request: bytes) -> list[str]:
        if self._running is None:
            self._running = self._started()
        _, link = self._running
        try:
            link.sendall(request)
            sizes = ANSWER.unpack(_received(link, ANSWER.size))
            return [str(_received(link, size), "utf-8", "surrogatepass") for size in sizes]
        except ConnectionError:
            raise EOFError from None
        except Exception:
            raise
        except BaseException:  # Ctrl-C: the answer would be taken for that of the next page
            self.stop()
            raise

    def _started(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        link, other = socket.socketpair()
        link.settimeout(self._limits.waited_seconds)
        limits = [str(self._limits.seconds), str(self._limits.memory)]
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, self._what, *limits, os.pathsep.join(sys.path)],
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for this process
            )
        except OSError:
            link.close()
            raise
        finally:
            other.close()
        return process, link


def _received(link: socket.socket, size: int) -> bytearray:
    found = bytearray(size)
    rest = memoryview(found)
    while rest:
        if not (got := link.recv_into(rest)):
            raise EOFError
        rest = rest[got:]
    return found


_parsers: dict[PageText, Parser] = {}


def parser_of(what: PageText) -> Parser:
    """The one that this process has."""
    return _parsers.get(what) or _parsers.setdefault(what, Parser(what, LIMITS[what]))


def _leave_all() -> None:
    for parser in _parsers.values():
        parser.leave()
    _parsers.clear()


def _stop_all() -> None:
    for parser in _parsers.values():
        parser.stop()


os.register_at_fork(after_in_child=_leave_all)
atexit.register(_stop_all)
