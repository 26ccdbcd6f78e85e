"""Texts to signals, and in one call to verdicts: computed once and queried ever after.

A signal never decides: see ``dq.quality.rules`` for verdicts. The compiled ones are computed over Arrow buffers in one
pass; scorers (``dq.quality.scorers``) see the texts after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from dq.arguments import kind_of, many, whole_number
from dq.arrays import F64
from dq.errors import ConfigError
from dq.executors import require_live_polars
from dq.quality.measure import measure, measure_given
from dq.quality.rules import RuleSet, a_rule_set
from dq.quality.scorers.base import Scorer, by_column, columns_of, needed
from dq.quality.scorers.compression import Compression
from dq.quality.scorers.fasttext import Language, LanguageLabels
from dq.quality.scorers.personal import PersonalData
from dq.quality.signals import (
    AS_WRITTEN,
    AT,
    DEFAULT_SIGNALS,
    NGRAM_SIGNALS,
    SAME_AS_WRITTEN,
    WRITTEN_SIGNALS,
    all_signals,
    check_signals,
)
from dq.text import (
    TextBatch,
    Texts,
    WordDefinition,
    arrow_array,
    dictionary_words,
    is_unicode_words,
    text_batch,
)

SLOW_SCORERS: tuple[Scorer, ...] = (Compression(), Language(), LanguageLabels(), PersonalData())
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
            and leaves the sentence counts null, because marks stay on their words; ``dictionary`` is
            ``unicode``, but ICU's dictionaries find the words of texts in scripts without spaces. Or the words of
            every text, from any splitter, in order.
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
    columns: dict[str, pl.Series] = {}
    for as_written, names in _by_text(types).items():
        columns |= _compiled(batch, names, words=words, as_written=as_written, threads=threads)
    own = set(types).difference(*(scorer.names for scorer in scorers))
    if used := [*needed(SLOW_SCORERS, own), *scorers]:
        strings = pl.Series("text", arrow_array(batch))
        columns |= {name: column for scorer in used for name, column in columns_of(scorer, strings).items()}
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
    dtypes: dict[str, pl.DataType] = {"int64": pl.Int64(), "float64": pl.Float64(), "string": pl.String()}
    return {name: dtypes[known[name].dtype if name in known else "float64"] for name in names}


def _by_text(names: Iterable[str]) -> dict[bool, list[str]]:
    """The compiled ones of these signals: by False those of tidy texts, by True those of the texts as written.

    Signals that are the same of both go where there are others, because each text is a pass of its own.
    """
    written = [name for name in names if name in WRITTEN_SIGNALS]
    tidy = [name for name in names if name in DEFAULT_SIGNALS and name not in SAME_AS_WRITTEN]
    same = [name for name in names if name in SAME_AS_WRITTEN]
    found = {False: tidy, True: written}
    found[bool(written) and not tidy].extend(same)
    return {as_written: of_it for as_written, of_it in found.items() if of_it}


def _compiled(
    batch: TextBatch,
    names: Sequence[str],
    *,
    words: WordDefinition | Sequence[Sequence[str]],
    as_written: bool,
    threads: int,
) -> dict[str, pl.Series]:
    bare = [name.removesuffix(AS_WRITTEN) for name in names]
    whitespace = False
    if isinstance(words, str):
        whitespace = not is_unicode_words(words)
        ngrams = not NGRAM_SIGNALS.isdisjoint(bare)
        values = measure(batch, unicode_words=not whitespace, ngrams=ngrams, as_written=as_written, threads=threads)
        if words == "dictionary":
            _find_words(batch, values, as_written=as_written)
    else:
        values = measure_given(batch, _words_of(batch, words), as_written=as_written)
    columns = {
        name: pl.Series(name, values[:, getattr(AT, of_it)], nan_to_null=True)
        for name, of_it in zip(names, bare, strict=True)
    }
    if whitespace:
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


def _find_words(batch: TextBatch, values: F64, *, as_written: bool) -> None:
    """Measure the texts in scripts without spaces again, by words of a dictionary."""
    rows = np.flatnonzero(values[:, AT.unsegmented_script] > 0)
    if len(rows):
        texts = arrow_array(batch).take(pl.Series(rows).to_arrow())
        values[rows] = measure_given(text_batch(texts), dictionary_words(texts.to_pylist()), as_written=as_written)


def judge_texts(
    texts: Texts,
    rules: RuleSet,
    *,
    scorers: Sequence[Scorer] = (),
    strict: bool = False,
    words: WordDefinition = "unicode",
) -> pl.DataFrame:
    """Signals and scorers' columns that the rules read, then the verdicts: one row a text.

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
