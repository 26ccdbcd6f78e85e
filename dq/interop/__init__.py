"""Rules, signals and signatures inside other people's tools, one module an ecosystem. None imports torch.

    dq.interop.datatrove.Filter(dq.presets.fineweb_quality())     a step of a datatrove pipeline
    dq.interop.polars.judge(frame, dq.presets.gopher_quality())   columns of a Series, DataFrame or LazyFrame
    dataset.filter(dq.interop.huggingface.Keep(rules), batched=True)
    dataset.map_batches(dq.interop.ray.Keep(rules), batch_format="pyarrow")    of Ray Data
    dq.interop.datasketch.lean_minhashes(signatures)              for its LSH, Redis and Cassandra
    dq.interop.datatrove_dedup.Signatures(folder)                 in place of its first; Deduplicate() is dq's own
    dq.interop.datatrove_minhash.signatures(words)                as its deduplication computes them

Modules are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dq.interop import datasketch, datatrove, datatrove_dedup, datatrove_minhash, huggingface, polars, ray

__all__ = ["datasketch", "datatrove", "datatrove_dedup", "datatrove_minhash", "huggingface", "polars", "ray"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dq.interop' has no attribute {name!r}")
    return importlib.import_module(f"dq.interop.{name}")
