"""`dq` in a process that a signal ends at a chosen point of its work: at a change of the disk, or after some time.

The points are those where files appear and go: each move, removal and new folder is one, and each flush to disk.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from dq.cli import main
from dq.corpus.formats import jsonl
from dq.files import pieces

PROGRAM = "import sys; from tests.kills import begin; begin(*sys.argv[1:])"
EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
PIECE_BYTES, CHUNK_BYTES = 9_000, 3_000


def begin(by: str, point: str, number: str, count_in: str, *arguments: str) -> None:
    """Run a command, and send this process a signal at a point.

    Args:
        by: ``event`` or ``seconds``.
        point: after so many of them; never where it is below 0.
        number: of the signal.
        count_in: a file for how many events there were, and how many seconds.
        arguments: of the command.
    """
    pieces.PIECE_BYTES, jsonl.CHUNK_BYTES = PIECE_BYTES, CHUNK_BYTES
    done, started, own = 0, time.monotonic(), os.getpid()

    def count(*_: Any) -> None:
        nonlocal done
        if os.getpid() == own:
            done += 1
            if by == "event" and done - 1 == int(point):
                os.kill(own, int(number))

    flush = os.fsync

    def flushed(descriptor: Any) -> None:
        flush(descriptor)
        count()

    os.fsync = flushed  # type: ignore[assignment]
    sys.addaudithook(lambda event, _arguments: count() if event in EVENTS else None)
    if by == "seconds" and float(point) >= 0:

        def strike() -> None:
            time.sleep(float(point))
            os.kill(own, int(number))

        threading.Thread(target=strike, daemon=True).start()
    sys.argv = ["dq", *arguments]
    try:
        main()
    finally:
        events, seconds = done, time.monotonic() - started
        if float(point) < 0:
            Path(count_in).write_text(f"{events} {seconds}")


SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
