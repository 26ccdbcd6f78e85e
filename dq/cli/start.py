"""Where a command begins and ends: its arguments, its exit code, Ctrl-C at any moment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dq.cli import show
from dq.cli.interruption import end_at_once, exit_code, interruptible, message


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Default: the arguments of the command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with interruptible():
            from dq.cli.program import run  # Ctrl-C may come while it is loaded

            code = run(words)
    except KeyboardInterrupt as interrupt:
        show.error(message(words))
        code = exit_code(interrupt)
    if arguments is None:  # the process is this command's own
        end_at_once(code)
    sys.exit(code)
