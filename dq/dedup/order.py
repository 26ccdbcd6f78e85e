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
    rows = _sorted_rows(documents.select(first.alias("__first"), *ties), ties, descending=descending)
    rank = np.empty(len(rows), np.int64)
    rank[rows] = np.arange(len(rows))
    return rank


def _sorted_rows(ranked: pl.DataFrame, ties: list[str], *, descending: bool) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Row numbers in the order of ``__first``, then of the ties, then as they are.

    Ids and sources take the most memory to sort by, and few documents need them: those that agree in all before.
    """
    keys, rest = ["__first", *ties[:1]], ties[1:]
    order = [descending] + [False] * len(keys)
    table = ranked.select(*keys).with_row_index("__row").sort(*keys, "__row", descending=order, nulls_last=True)
    rows = table["__row"].cast(pl.Int64).to_numpy().copy()
    as_before = table.select(pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift()) for key in keys))
    tied = as_before.to_series().to_numpy().copy()
    tied[:1] = False
    runs = np.flatnonzero(tied | np.append(tied[1:], False))
    if rest and len(runs):
        groups = pl.Series("__group", np.cumsum(~tied)[runs])
        members = ranked[rows[runs]].select(rest).with_columns(groups, pl.Series("__row", rows[runs]))
        rows[runs] = members.sort("__group", *rest, "__row", nulls_last=True)["__row"].to_numpy()
    return rows


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
