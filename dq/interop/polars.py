"""Signals and verdicts of a column of texts in polars: of a Series or DataFrame at once, of a LazyFrame in batches.

A LazyFrame stays lazy. Its batches are what the engine hands over: with ``engine="streaming"`` (or a sink) the texts
in memory at a time are bounded by the engine's batches, with the in-memory engine they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, overload

import polars as pl

from dq.errors import ConfigError
from dq.quality import DEFAULT_SIGNALS, RuleSet, judge_texts, signal
from dq.quality import score as score_texts
from dq.text.words import WordDefinition

__all__ = ["judge", "score"]

DTYPES = {"int64": pl.Int64(), "float64": pl.Float64()}

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


@overload
def score(
    texts: pl.Series, signals: Iterable[str] | None = None, *, text: str = "text", words: WordDefinition = "unicode"
) -> pl.DataFrame: ...
@overload
def score(
    texts: Frame, signals: Iterable[str] | None = None, *, text: str = "text", words: WordDefinition = "unicode"
) -> Frame: ...
def score(
    texts: pl.Series | pl.DataFrame | pl.LazyFrame,
    signals: Iterable[str] | None = None,
    *,
    text: str = "text",
    words: WordDefinition = "unicode",
) -> pl.DataFrame | pl.LazyFrame:
    """Signals of texts.

    Args:
        texts: a Series of texts, or a frame with a column of them.
        signals: names from the registry; default: all signals.
        text: the frame's column of texts.
        words: ``unicode`` or ``whitespace``.

    Returns:
        Of a Series a table of signals; of a frame the frame with the signals as further columns.

    Raises:
        ConfigError: an unknown signal, or one whose name the frame already uses.
    """
    names = DEFAULT_SIGNALS if signals is None else tuple(dict.fromkeys(signals))
    added = {name: DTYPES[signal(name).dtype] for name in names}

    def columns(batch: pl.Series) -> pl.DataFrame:
        return score_texts(batch, names, words=words)

    return _with_columns(texts, text, columns=columns, added=added)


@overload
def judge(
    texts: pl.Series, rules: RuleSet, *, text: str = "text", strict: bool = False, words: WordDefinition = "unicode"
) -> pl.DataFrame: ...
@overload
def judge(
    texts: Frame, rules: RuleSet, *, text: str = "text", strict: bool = False, words: WordDefinition = "unicode"
) -> Frame: ...
def judge(
    texts: pl.Series | pl.DataFrame | pl.LazyFrame,
    rules: RuleSet,
    *,
    text: str = "text",
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> pl.DataFrame | pl.LazyFrame:
    """Verdicts of texts: ``keep`` (bool) and ``reasons`` (list of str, empty where kept).

    Returns:
        Of a Series a table of the two; of a frame the frame with the two as further columns.

    Raises:
        ConfigError: the frame already has such a column.
    """
    added = {"keep": pl.Boolean(), "reasons": pl.List(pl.String())}

    def columns(batch: pl.Series) -> pl.DataFrame:
        return judge_texts(batch, rules, strict=strict, words=words).select("keep", "reasons")

    return _with_columns(texts, text, columns=columns, added=added)


def _with_columns(
    texts: pl.Series | pl.DataFrame | pl.LazyFrame,
    text: str,
    *,
    columns: Callable[[pl.Series], pl.DataFrame],
    added: Mapping[str, pl.DataType],
) -> pl.DataFrame | pl.LazyFrame:
    if isinstance(texts, pl.Series):
        return columns(texts)
    schema = texts.collect_schema()
    if text not in schema:
        raise ConfigError(f"the frame has no column `{text}`; there are {', '.join(schema)}")
    if twice := [name for name in added if name in schema]:
        raise ConfigError(f"the frame already has a column `{twice[0]}`; rename or drop it")
    if isinstance(texts, pl.DataFrame):
        return texts.hstack(columns(texts[text]))

    def extend(batch: pl.DataFrame) -> pl.DataFrame:
        return batch.hstack(columns(batch[text]))

    return texts.map_batches(extend, schema={**schema, **added}, streamable=True)
