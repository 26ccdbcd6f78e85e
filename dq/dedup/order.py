"""Which of several duplicates is kept: a total order of the documents.

The policy decides first; ties go by content key, then source, then id, so neither row order nor shard plays a part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dq.errors import ConfigError

__all__ = ["keep_order"]

_TIES = ("content_key", "source", "id", "occurrence")


def keep_order(policy: str, documents: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rank of every document, 0 the first to be kept: int64 (documents,), each rank once.

    Args:
        policy: ``longest`` (most bytes), ``best:SIGNAL`` (largest value; missing ones last), ``earliest:FIELD``
            (smallest value; missing ones last) or ``prefer:SOURCE,SOURCE`` (in that order; other sources last).
        documents: one row per document with ``content_key`` and, where present, ``source``, ``id``, ``occurrence``;
            ``n_bytes`` for ``longest``; the signal or field that the policy names.

    Raises:
        ConfigError: no such policy, or its column is missing.
    """
    kind, _, name = policy.partition(":")
    column, descending = _column(kind, name, policy)
    if column not in documents.columns:
        raise ConfigError(f"keep: {policy!r} needs the column {column!r}; there are: {', '.join(documents.columns)}")
    first: pl.Expr = pl.col(column)
    if kind == "prefer":
        places = {source.strip(): place for place, source in enumerate(name.split(","))}
        first = first.replace_strict(places, default=len(places), return_dtype=pl.Int64)
    elif documents.schema[column].is_float():
        first = first.fill_nan(None)
    ties = [tie for tie in _TIES if tie in documents.columns]
    ranked = (
        documents.lazy()
        .with_columns(first.alias("__first"))
        .select("__first", *ties, pl.int_range(pl.len(), dtype=pl.Int64).alias("__row"))
    )
    rows = (
        ranked.sort("__first", *ties, "__row", descending=[descending] + [False] * (len(ties) + 1), nulls_last=True)
        .select("__row")
        .collect()["__row"]
        .to_numpy()
    )
    rank = np.empty(len(rows), np.int64)
    rank[rows] = np.arange(len(rows))
    return rank


def _column(kind: str, name: str, policy: str) -> tuple[str, bool]:
    if kind == "longest" and not name:
        return "n_bytes", True
    if kind == "prefer" and name:
        return "source", False
    if kind in ("best", "earliest") and name:
        return name, kind == "best"
    raise ConfigError(
        f"keep: {policy!r} is no policy; use longest, best:SIGNAL, earliest:FIELD or prefer:SOURCE,SOURCE"
    )
