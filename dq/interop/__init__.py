"""Rules and signals inside other people's tools, one module an ecosystem. None imports torch.

    dq.interop.datatrove.Filter(dq.presets.fineweb_quality())     a step of a datatrove pipeline
    dq.interop.polars.judge(frame, dq.presets.gopher_quality())   columns of a Series, DataFrame or LazyFrame
    dataset.filter(dq.interop.huggingface.Keep(rules), batched=True)

Modules are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dq.interop import datatrove, huggingface, polars

__all__ = ["datatrove", "huggingface", "polars"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dq.interop' has no attribute {name!r}")
    return importlib.import_module(f"dq.interop.{name}")
