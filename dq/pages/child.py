"""The process that parses: page after page from a socket, each within limits that the system keeps.

It ends itself where a page takes too much: by the signal of a timer that counts seconds of a processor, which reaches
parsers in C too, and by SIGABRT where it takes too much memory, as C++ does where it gets none. It imports little of
dq, so that a new one takes a twentieth of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import IO, cast

from dq.pages.extracted import PageError, PageText, check_libraries, extracted

REQUEST, ANSWER = struct.Struct(">2Q"), struct.Struct(">5Q")
"""How long the parts are of what is asked (the content type as the server gave it, the page) and of what is answered (a
reason, which is empty where the page is read, charset, date, title, text), which follow."""
PR_SET_PDEATHSIG = 1
STATUS = Path("/proc/self/status")


def main() -> None:
    """Answer on standard input until whoever asks is gone; the arguments are what of pages, and the limits."""
    what, seconds, memory = cast("PageText", sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    check_libraries(what)
    if sys.platform == "linux":  # killed with whoever asks, or with the thread of it that started this process
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C++ says its last words there
    with socket.socket(fileno=0) as link, link.makefile("rb") as requests:
        most = _limited(memory)
        while parts := _parts(requests):
            signal.setitimer(signal.ITIMER_PROF, seconds)
            answer = _answer(*parts, what=what)
            if _peak() > most:
                os.abort()  # libraries call want of memory broken HTML, or pass over what they have none for
            link.sendall(answer)


def _parts(requests: IO[bytes]) -> list[bytes]:
    """What is asked next; nothing where nobody asks any more."""
    head = requests.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return []
    sizes = REQUEST.unpack(head)
    parts = [requests.read(size) for size in sizes]
    return parts if sum(map(len, parts)) == sum(sizes) else []


def _answer(content_type: bytes, raw: bytes, *, what: PageText) -> bytes:
    try:
        page = extracted(raw, content_type=content_type.decode("utf-8", "surrogatepass"), what=what)
        parts = ["", page.charset, page.published, page.title, page.text]
    except PageError as error:
        parts = [str(error), "", "", "", ""]
    except MemoryError:
        os.abort()
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return ANSWER.pack(*map(len, encoded)) + b"".join(encoded)


def _limited(memory: int) -> int:
    """Have the system refuse this process a quarter more than a page may take; the size at which it has taken too much.

    So an allocation fails only behind that size: trafilatura would say nothing of it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = _peak()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        memory = min(memory, (hard - size) * 4 // 5)
    with contextlib.suppress(ValueError, OSError):  # macOS
        resource.setrlimit(resource.RLIMIT_AS, (size + memory * 5 // 4, hard))
    return size + memory


def _peak() -> int:
    """The most bytes of addresses that this process has had; of memory, where the system tells no more."""
    try:
        status = STATUS.read_bytes()
    except FileNotFoundError:  # macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.partition(b"VmPeak:")[2].split(maxsplit=1)[0]) << 10
