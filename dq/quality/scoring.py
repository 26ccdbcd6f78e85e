"""Texts to signals, and in one call to verdicts: computed once and queried ever after.

A signal never decides: see ``dq.quality.rules`` for verdicts. The compiled ones are computed over Arrow buffers in one
pass; scorers (``dq.quality.scorers``) see the texts after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from dq.arguments import kind_of, many, whole_number
from dq.errors import ConfigError
from dq.executors import require_live_polars
from dq.quality.measure import measure, measure_given
from dq.quality.rules import RuleSet, a_rule_set
from dq.quality.scorers.base import Scorer, by_column, columns_of, needed
from dq.quality.scorers.compression import Compression
from dq.quality.scorers.fasttext import Language
from dq.quality.signals import AT, DEFAULT_SIGNALS, NGRAM_SIGNALS, all_signals, check_signals
from dq.text import TextBatch, Texts, WordDefinition, arrow_array, is_unicode_words, text_batch

SLOW_SCORERS: tuple[Scorer, ...] = (Compression(), Language())
"""What computes the slow signals of the table."""


def score(
    texts: Texts,
    signals: Iterable[str] | None = None,
    *,
    scorers: Sequence[Scorer] = (),
    words: WordDefinition | Sequence[Sequence[str]] = "unicode",
    threads: int = 1,
) -> pl.DataFrame:
    """Compute signals of texts.

    Args:
        texts: a list of str, a polars Series, or an Arrow string array; nulls count as empty texts.
        signals: names from the table of signals, and of the scorers' columns where their order matters; default: all
            signals of the four published rule sets and RedPajama-V2's, not the slow ones (compression, language).
        scorers: who gives further columns, such as a ``QualityModel`` or a class of your own; they follow the signals.
        words: ``unicode`` tracks spaCy's blank English, which datatrove uses; ``whitespace`` splits at white space
            and leaves the sentence counts null, because marks stay on their words. Or the words of every text, from
            any splitter, in order.
        threads: documents are shared among this many threads (the kernels hold no GIL; scorers see one thread).

    Returns:
        One row a text, in order; one column a signal with the table's dtype, float64 where a scorer gave it; null
        where a signal is undefined, such as a mean word length without words.

    Raises:
        ConfigError: an unknown signal or word definition, or a scorer's column that has the name of another's.
        MissingExtraError: language identification is asked for and not installed.
        InputError: the texts are not strings, or a scorer does not give one number a text.
    """
    types = schema(signals, scorers=scorers)
    threads = whole_number(threads, name="threads", least=1)
    batch = text_batch(texts)
    columns = _compiled(batch, [name for name in types if name in DEFAULT_SIGNALS], words=words, threads=threads)
    if used := [*needed(SLOW_SCORERS, types), *scorers]:
        strings = pl.Series("text", arrow_array(batch))
        for scorer in used:
            columns |= columns_of(scorer, strings)
    return pl.DataFrame([columns[name].cast(dtype) for name, dtype in types.items()])


def schema(signals: Iterable[str] | None = None, *, scorers: Sequence[Scorer] = ()) -> dict[str, pl.DataType]:
    """The columns that `score` gives, with their types.

    Raises:
        ConfigError: an unknown signal, or a scorer's column that has the name of another's.
    """
    given, known = by_column(scorers), all_signals()
    asked = DEFAULT_SIGNALS if signals is None else many(signals, name="signals", of="names")
    check_signals(asked, others=given)
    names = dict.fromkeys((*asked, *given))
    whole = {name for name in names if name in known and known[name].dtype == "int64"}
    return {name: pl.Int64() if name in whole else pl.Float64() for name in names}


def _compiled(
    batch: TextBatch, names: Sequence[str], *, words: WordDefinition | Sequence[Sequence[str]], threads: int
) -> dict[str, pl.Series]:
    unicode_words = is_unicode_words(words) if isinstance(words, str) else True
    if not names:
        return {}
    if isinstance(words, str):
        ngrams = not NGRAM_SIGNALS.isdisjoint(names)
        values = measure(batch, unicode_words=unicode_words, ngrams=ngrams, threads=threads)
    else:
        values = measure_given(batch, _words_of(batch, words))
    columns = {name: pl.Series(name, values[:, getattr(AT, name)], nan_to_null=True) for name in names}
    if not unicode_words:
        columns |= {name: columns[name].clear(len(batch)) for name in names if all_signals()[name].unit == "sentences"}
    return columns


def _words_of(batch: TextBatch, words: Any) -> list[Sequence[str]]:
    """The words of every text, as somebody else has split them."""
    given = many(words, name="words", of="words of each text")
    if len(given) != len(batch):
        raise ConfigError(f"`words` has the words of {len(given):,} texts; there are {len(batch):,}", field="words")
    for at, one in enumerate(given):
        if not isinstance(one, (list, tuple)) or not all(isinstance(word, str) for word in one):
            raise ConfigError(f"`words` of text {at} (from 0): a list of strings, not {kind_of(one)}", field="words")
    return given


def judge_texts(
    texts: Texts,
    rules: RuleSet,
    *,
    scorers: Sequence[Scorer] = (),
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> pl.DataFrame:
    """Signals and scorers' columns that the rules read, then ``keep`` and ``reasons``: one row a text.

    For pipelines that hand over documents batch by batch.

    Raises:
        ConfigError: a rule ranks documents of a whole corpus, which a batch is not, or needs another column.
    """
    require_live_polars()
    if not a_rule_set(rules).is_fixed:
        raise ConfigError(
            f"rule set `{rules.name}` ranks the documents of a whole corpus; score that first and judge by "
            "`rules.fixed(scores)`, or use `dq filter`"
        )
    names = rules.signals(strict=strict)
    scores = score(texts, names, scorers=needed(scorers, names), words=words).select(names)
    return scores.hstack(rules.judge(scores, strict=strict))
