"""Every error a user can meet, in one tree.

    DqError
    ├── ConfigError           a YAML file or an option is wrong: names file, line, field and the remedy
    ├── InputError            an input file cannot be read, or too many of its rows are unreadable
    ├── BudgetError           a corpus holds too few tokens for what was asked: names available and needed
    ├── WorkspaceError        a workspace is locked, incomplete, or was made from something else
    ├── MissingExtraError     an optional dependency is absent: names the pip command
    ├── TrainingError         a run could not be trained or resumed
    └── CompareError          runs cannot be compared: names what differs or is missing

A message says what happened, where (file, line, shard, document, run) and what to do. The command line prints it on
one line and exits with code 1. `assert` is for our own bugs only.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "BudgetError",
    "CompareError",
    "ConfigError",
    "DqError",
    "InputError",
    "MissingExtraError",
    "TrainingError",
    "WorkspaceError",
    "require",
]


class DqError(Exception):
    """Root of every error that dq raises on purpose."""


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


class CompareError(DqError):
    """Runs cannot be compared with each other."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Args:
        module: dotted module name, such as ``"plotly.graph_objects"``.
        extra: the name of the extra in ``dq-scaling[extra]``.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtraError(f"{package} is not installed; run: pip install 'dq-scaling[{extra}]'") from None
