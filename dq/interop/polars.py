"""Signals and verdicts of a column of texts in polars: of a Series or DataFrame at once, of a LazyFrame in batches.

A LazyFrame stays lazy. Its batches are what the engine hands over: with ``engine="streaming"`` or a sink the texts in
memory at a time are bounded by the engine's batches, with the in-memory engine they are not. A Parquet sink holds a
row group, by default of 262,144 texts: say fewer, and a corpus of any size is filtered in 0.7 GB.

    verdicts = judge(pl.scan_parquet("corpus/*.parquet"), presets.gopher_quality())
    kept = verdicts.filter("keep").drop(*VERDICT)                     # `VERDICT` of `dq.quality`: the four columns
    kept.sink_parquet("kept.parquet", row_group_size=2_000)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar, overload

import polars as pl

from dq.arguments import kind_of
from dq.errors import ConfigError
from dq.interop.columns import check_column
from dq.quality import VERDICT, RuleSet, Scorer, a_rule_set, judge_texts, schema
from dq.quality import score as score_texts
from dq.text import WordDefinition

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


@overload
def score(
    texts: pl.Series,
    signals: Iterable[str] | None = None,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    words: WordDefinition = "unicode",
) -> pl.DataFrame: ...
@overload
def score(
    texts: Frame,
    signals: Iterable[str] | None = None,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    words: WordDefinition = "unicode",
) -> Frame: ...
def score(
    texts: pl.Series | pl.DataFrame | pl.LazyFrame,
    signals: Iterable[str] | None = None,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    words: WordDefinition = "unicode",
) -> pl.DataFrame | pl.LazyFrame:
    """Signals of texts.

    Args:
        texts: a Series of texts, or a frame with a column of them.
        signals: names from the table of signals; default: all.
        scorers: who gives further columns, see ``dq.score``.
        text: the frame's column of texts.
        words: ``unicode``, ``whitespace`` or ``dictionary``, see ``dq.score``.

    Returns:
        Of a Series a table of signals; of a frame the frame with the signals as further columns.

    Raises:
        ConfigError: an unknown signal, or a column whose name the frame already uses.
    """
    added = schema(signals, scorers=scorers)

    def columns(batch: pl.Series) -> pl.DataFrame:
        return score_texts(batch, tuple(added), scorers=scorers, words=words)

    return _with_columns(texts, text, columns=columns, added=added)


@overload
def judge(
    texts: pl.Series,
    rules: RuleSet,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> pl.DataFrame: ...
@overload
def judge(
    texts: Frame,
    rules: RuleSet,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> Frame: ...
def judge(
    texts: pl.Series | pl.DataFrame | pl.LazyFrame,
    rules: RuleSet,
    *,
    scorers: Sequence[Scorer] = (),
    text: str = "text",
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> pl.DataFrame | pl.LazyFrame:
    """Verdicts of texts: ``keep`` (bool), ``reasons`` (list of str, empty where kept), ``not_judged`` and ``script``.

    ``not_judged`` lists the rules that are not made for the script of the text, such as Thai; ``script`` names it.

    Args:
        texts: a Series of texts, or a frame with a column of them.
        rules: who judges.
        scorers: who gives the columns that rules name beside signals.
        text: the frame's column of texts.
        strict: judge as the rules' sources do, defects included.
        words: ``unicode``, ``whitespace`` or ``dictionary``, see ``dq.score``.

    Returns:
        Of a Series a table of the four; of a frame the frame with the four as further columns.

    Raises:
        ConfigError: the frame already has such a column.
    """
    a_rule_set(rules)
    added = dict(VERDICT)

    def columns(batch: pl.Series) -> pl.DataFrame:
        return judge_texts(batch, rules, scorers=scorers, strict=strict, words=words).select(*added)

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
    if not isinstance(texts, (pl.DataFrame, pl.LazyFrame)):
        pandas = type(texts).__module__.startswith("pandas")
        remedy = "polars.from_pandas(frame) makes one" if pandas else "dq.score takes lists and Arrow arrays"
        raise ConfigError(f"`texts` takes a polars Series, DataFrame or LazyFrame, not {kind_of(texts)}; {remedy}")
    schema = texts.collect_schema()
    check_column(text, schema, of="frame")
    if twice := [name for name in added if name in schema]:
        raise ConfigError(f"the frame already has a column `{twice[0]}`; rename or drop it")
    if isinstance(texts, pl.DataFrame):
        return texts.hstack(columns(texts[text]))

    def extend(batch: pl.DataFrame) -> pl.DataFrame:
        return batch.hstack(columns(batch[text]))

    return texts.map_batches(extend, schema={**schema, **added}, streamable=True)
