"""The command line, a file a group of commands; ``main`` is the program."""

from dq.cli.app import app, main

__all__ = ["app", "main"]
