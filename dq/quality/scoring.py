"""Signals: text to numbers, one row a document, computed once and queried ever after.

Everything that does not need a model is computed by compiled kernels over Arrow buffers. A signal never decides: see
``dq.quality.rules`` for verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dq.errors import ConfigError
from dq.quality.kernels.documents import DOCUMENT_COLUMNS
from dq.quality.kernels.lines import LINE_COLUMNS
from dq.quality.kernels.ngrams import N_GRAM_COLUMNS
from dq.quality.measure import AFTER_C4_COLUMNS, C4_COLUMNS, C4_RELAXED_COLUMNS, measure, measure_given
from dq.quality.rules import RuleSet
from dq.quality.scorers.base import Scorer
from dq.quality.scorers.compression import SLOW_COLUMNS, measure_slow
from dq.quality.signals import Signal, all_signals, signal
from dq.text.buffers import TextBatch, Texts, text_batch
from dq.text.words import WordDefinition, is_unicode_words

__all__ = ["DEFAULT_SIGNALS", "Signal", "WordDefinition", "judge_texts", "score"]

DEFAULT_SIGNALS: tuple[str, ...] = (
    *DOCUMENT_COLUMNS,
    *LINE_COLUMNS,
    *N_GRAM_COLUMNS,
    *C4_COLUMNS,
    *C4_RELAXED_COLUMNS,
    *AFTER_C4_COLUMNS,
)
NEEDS_SENTENCES = ("sentence_count", "c4_kept_sentence_count", "c4_relaxed_kept_sentence_count")


def score(
    texts: Texts,
    signals: Iterable[str] | None = None,
    *,
    words: WordDefinition | Sequence[Sequence[str]] = "unicode",
    threads: int = 1,
    models: Mapping[str, Scorer] | None = None,
) -> pl.DataFrame:
    """Compute signals of texts.

    Args:
        texts: a list of str, a polars Series, or an Arrow string array; nulls count as empty texts.
        signals: names from the registry; default: all signals of the four published rule sets and RedPajama-V2's, not
            the slow ones (compression, language).
        words: ``unicode`` tracks spaCy's blank English, which datatrove uses; ``whitespace`` splits at white space
            and leaves the sentence counts null, because marks stay on their words. Or the words of every text, from
            any splitter, in order.
        models: classifiers by the name of the column that their scores become, such as a ``QualityModel``.
        threads: documents are shared among this many threads (the kernels hold no GIL).

    Returns:
        One row a text, in order; one column a signal with the registry's dtype; null where a signal is undefined,
        such as a mean word length without words.

    Raises:
        ConfigError: an unknown signal or word definition, or a model with the name of a signal.
        MissingExtraError: language identification is asked for and not installed.
        InputError: the texts are not strings.
    """
    names = DEFAULT_SIGNALS if signals is None else tuple(dict.fromkeys(signals))
    chosen = [signal(name) for name in names]
    clash = set(models or {}) & set(all_signals())
    if clash:
        raise ConfigError(f"a model cannot be called `{min(clash)}`: that is a signal; choose another name")
    batch = text_batch(texts)
    columns = _compiled(batch, names, words=words, threads=threads) if set(names) - set(SLOW_COLUMNS) else {}
    columns |= measure_slow(batch, names)
    table = pl.DataFrame([_series(s, columns[s.name]) for s in chosen])
    scored = [pl.Series(name, model.scores(batch), nan_to_null=True) for name, model in (models or {}).items()]
    return table.with_columns(scored) if chosen else pl.DataFrame(scored)


def _compiled(
    batch: TextBatch, names: Sequence[str], *, words: WordDefinition | Sequence[Sequence[str]], threads: int
) -> dict[str, np.ndarray[Any, Any]]:
    if not isinstance(words, str):
        return measure_given(batch, words).columns()
    unicode_words, ngrams = is_unicode_words(words), bool(set(names) & set(N_GRAM_COLUMNS))
    columns = measure(batch, unicode_words=unicode_words, ngrams=ngrams, threads=threads).columns()
    if not unicode_words:
        for name in NEEDS_SENTENCES:
            columns[name] = np.full_like(columns[name], np.nan)
    return columns


def _series(chosen: Signal, values: np.ndarray[Any, np.dtype[np.float64]]) -> pl.Series:
    column = pl.Series(chosen.name, values, nan_to_null=True)
    return column.cast(pl.Int64) if chosen.dtype == "int64" else column


def judge_texts(
    texts: Texts, rules: RuleSet, *, strict: bool = False, words: WordDefinition = "unicode"
) -> pl.DataFrame:
    """Signals that the rules read, then ``keep`` and ``reasons``: one row a text.

    Raises:
        ConfigError: a rule ranks documents of a whole corpus, which a batch is not, or needs another column.
    """
    if not rules.is_fixed:
        raise ConfigError(
            f"rule set `{rules.name}` ranks the documents of a whole corpus; score that first and judge by "
            "`rules.fixed(scores)`, or use `dq filter`"
        )
    scores = score(texts, rules.signals(strict=strict), words=words)
    return scores.hstack(rules.judge(scores, strict=strict))
