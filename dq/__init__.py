"""dq: decide which training data is better.

>>> import dq
>>> scores = dq.score(["One text.", "Another text."])
>>> verdicts = dq.presets.gopher_quality().judge(scores)

Texts in memory: `score`, `presets`, `deduplicate`, `MinHash`. Files to files, as the command line does it:
`score_files`, `filter_files`, `dedup_files`. A job and a study: `run_job`, `run_study`; `run_grid` runs a study of
several sizes, budgets or rates. Each takes ``progress=``, which `progress` shows on a terminal or in a notebook. Inside
other tools: `interop`.

Names are loaded when they are first used, so that ``import dq`` costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":
    raise ImportError("dq runs on Linux and macOS, not on Windows; use it in the Windows Subsystem for Linux (WSL)")

if TYPE_CHECKING:
    from dq import interop
    from dq.cli.show import progress
    from dq.dedup import MinHash, deduplicate
    from dq.errors import DqError
    from dq.files import dedup_files, filter_files, score_files
    from dq.jobs import run_job
    from dq.quality import Scorer, presets, score
    from dq.study import run_grid, run_study

__version__ = "0.1.0"
__all__ = [
    "DqError",
    "MinHash",
    "Scorer",
    "dedup_files",
    "deduplicate",
    "filter_files",
    "interop",
    "presets",
    "progress",
    "run_grid",
    "run_job",
    "run_study",
    "score",
    "score_files",
]

_HOME = {
    "DqError": "dq.errors",
    "MinHash": "dq.dedup",
    "Scorer": "dq.quality",
    "dedup_files": "dq.files",
    "deduplicate": "dq.dedup",
    "filter_files": "dq.files",
    "presets": "dq.quality",
    "progress": "dq.cli.show",
    "run_grid": "dq.study",
    "run_job": "dq.jobs",
    "run_study": "dq.study",
    "score": "dq.quality",
    "score_files": "dq.files",
}


def __getattr__(name: str) -> Any:
    if name == "interop":
        return importlib.import_module("dq.interop")
    if name not in _HOME:
        raise AttributeError(f"module 'dq' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
