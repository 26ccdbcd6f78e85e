"""Every error a user can meet, in one tree.

    DqError
    ├── ConfigError           a YAML file or an option is wrong: names file, line, field and the remedy
    ├── InputError            an input file cannot be read, or too many of its rows are unreadable
    ├── BudgetError           a corpus holds too few tokens for what was asked: names available and needed
    ├── WorkspaceError        a workspace is locked, incomplete, or was made from something else
    ├── MissingExtraError     an optional dependency is absent: names the command that installs it
    ├── TrainingError         a run could not be trained or resumed
    ├── StoppedError          a deadline came first: says how much is done, the same command goes on
    ├── CompareError          runs cannot be compared: names what differs or is missing
    ├── FitError              a law cannot be fitted to these runs, or answered from: names what is missing
    └── ForkError             a process was forked where its threads are needed: names the ways to spawn it

A message says what happened, where (file, line, shard, document, run) and what to do. The command line prints it on
one line and exits with code 1. `assert` is for our own bugs only.

Libraries know arguments and configuration fields, not flags: an error about one carries its name as `field`, and its
message names it in backticks where the sentence needs it (``raise `max_bad_fraction` ``). Commands print the flag, or
the place in the YAML file, instead: in the message if it is there, else before it.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType

MAX_NAME_CHARS = 80  # of a wrong name that a message repeats
MAX_LISTED_CHARS = 200  # of the names that exist


class DqError(Exception):
    """Root of every error that dq raises on purpose.

    Args:
        message: what happened, where, and what to do.
        field: the configuration field or Python argument it is about, such as ``"max_bad_fraction"``.
    """

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        if field is not None and f"`{field}`" not in message:
            self.add_note(f"(`{field}`)")  # which a traceback shows; commands print the flag before the message


class ConfigError(DqError):
    """A configuration file or an option is wrong."""


class InputError(DqError):
    """An input file cannot be read, or too many of its rows are unreadable."""


class BudgetError(DqError):
    """A pool holds fewer tokens than the study needs."""


class WorkspaceError(DqError):
    """A workspace is locked, incomplete, or was made from other inputs."""


class MissingExtraError(DqError):
    """An optional dependency is not installed."""


class TrainingError(DqError):
    """A run could not be trained or resumed."""


class StoppedError(DqError):
    """A deadline came before the work was done."""


class CompareError(DqError):
    """Runs cannot be compared with each other."""


class FitError(DqError):
    """A law cannot be fitted to these runs, or cannot answer what was asked."""


class ForkError(DqError):
    """A process was forked from one whose threads it needs."""


def require(module: str) -> ModuleType:
    """Import an optional module, or say how to install it.

    Args:
        module: dotted module name, such as ``"torch.distributed"``.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise _missing([package]) from None


def require_all(modules: Iterable[str]) -> None:
    """Check that optional modules are there before long work begins, without importing them.

    Raises:
        MissingExtraError: some are not; all of them are named at once.
    """
    packages = {module.partition(".")[0] for module in modules}
    if absent := sorted(package for package in packages if importlib.util.find_spec(package) is None):
        raise _missing(absent)


def _missing(packages: list[str]) -> MissingExtraError:
    """Every optional module of dq has the name of its package, so the command works wherever dq came from."""
    named = ", ".join(packages[:-1]) + " and " + packages[-1] if len(packages) > 1 else packages[0]
    tool = "pip" if importlib.util.find_spec("pip") else "uv pip"
    verb = "are" if len(packages) > 1 else "is"
    return MissingExtraError(f"{named} {verb} not installed; run: {tool} install {' '.join(packages)}")


def cause_of(error: BaseException) -> str:
    """What a library or the system says of a fault, on one line."""
    return (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())


def nearest(name: str, known: Iterable[str], *, what: str, shown: str = "", hint: bool = True) -> str:
    """The message for a name that does not exist: the nearest one where one is near, else those that there are.

    Args:
        name: what was asked for.
        known: the names that exist, in the order in which they are best read.
        what: what they name, in the singular: ``"signal"``.
        shown: the name as the user wrote it, where that is more than the name: ``"read.shard_row"``.
        hint: False for names that are numbers: one that is spelled alike is not meant.

    Returns:
        ``unknown signal `wordcount`; did you mean `word_count`?``
    """
    names = list(known)
    shown = shown or name
    shown = shown if len(shown) <= MAX_NAME_CHARS else f"{shown[:MAX_NAME_CHARS]}..."
    by_key = {one.casefold(): one for one in names}
    if hint and (found := difflib.get_close_matches(name.casefold(), by_key, n=1)):
        return f"unknown {what} `{shown}`; did you mean `{by_key[found[0]]}`?"
    return f"unknown {what} `{shown}`; there {'is' if len(names) <= 1 else 'are'} {listed(names)}"


def listed(names: list[str]) -> str:
    """Names with commas, as many as a line has room for."""
    shown: list[str] = []
    room = MAX_LISTED_CHARS
    for name in names:
        room -= len(name) + 2
        if shown and room < 0:
            return f"{', '.join(shown)} and {len(names) - len(shown):,} more"
        shown.append(name)
    return ", ".join(shown) or "none"
