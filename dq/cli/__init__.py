"""The command line, a file a group of commands; ``main`` is the program."""

from dq.cli.start import main

__all__ = ["main"]
