"""dq: decide which training data is better.

>>> import dq
>>> scores = dq.score(["One text.", "Another text."])
>>> verdicts = dq.presets.gopher_quality().judge(scores)

Names are loaded when they are first used, so that ``import dq`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dq import interop
    from dq.dedup import MinHash, deduplicate
    from dq.errors import DqError
    from dq.quality import presets, score

__version__ = "0.1.0"
__all__ = ["DqError", "MinHash", "deduplicate", "interop", "presets", "score"]

_HOME = {
    "DqError": "dq.errors",
    "MinHash": "dq.dedup",
    "deduplicate": "dq.dedup",
    "presets": "dq.quality",
    "score": "dq.quality",
}


def __getattr__(name: str) -> Any:
    if name == "interop":
        return importlib.import_module("dq.interop")
    if name not in _HOME:
        raise AttributeError(f"module 'dq' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
