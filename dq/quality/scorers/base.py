"""The protocol of scorers: whatever gives texts further columns of numbers.

dq's own classifiers and slow signals are scorers, and so is any class with these two members:

    class Shouting:
        names = ("exclamation_mark_fraction",)

        def scores(self, texts):
            return {"exclamation_mark_fraction": [text.count("!") / len(text) if text else None for text in texts]}

    dq.score(texts, scorers=[Shouting()])

Rules name its columns as they name signals. The compiled signals are no scorers: they share one pass over the text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import polars as pl

from dq.arguments import kind_of, many
from dq.errors import ConfigError, InputError
from dq.executors import require_live_polars
from dq.quality.signals import LANGUAGE_SIGNALS, all_signals


@runtime_checkable
class Scorer(Protocol):
    """Gives numbers to texts, each text by itself: what else is in the batch changes nothing.

    Jobs and commands on files take trained models by their files, whose contents name what was made with them.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it gives; none may be the name of another scorer's or of a signal."""
        ...

    def scores(self, texts: pl.Series) -> Mapping[str, Any]:
        """One number (of `language` a label) a text by column name, an array or a list; NaN or None where undefined.

        texts: strings without nulls, in batches of any size.
        """
        ...


def by_column(scorers: Sequence[Scorer]) -> dict[str, Scorer]:
    """Who gives which column.

    Raises:
        ConfigError: two give the same, or one gives a signal of dq.
    """
    found: dict[str, Scorer] = {}
    for scorer in many(scorers, name="scorers", of="scorers"):
        if not isinstance(scorer, Scorer):
            remedy = "it needs `names` (a tuple) and `scores(texts)`"
            raise ConfigError(f"`scorers`: {kind_of(scorer)} is no scorer; {remedy}", field="scorers")
        if isinstance(scorer.names, str):
            raise ConfigError(f"the names of a scorer are a tuple: ({scorer.names!r},)", field="scorers")
        of_language = [name for name in LANGUAGE_SIGNALS if name in scorer.names]
        if of_language and len(of_language) < len(LANGUAGE_SIGNALS):
            raise ConfigError(f"a scorer that gives `{of_language[0]}` gives all of {', '.join(LANGUAGE_SIGNALS)}")
        for name in scorer.names:
            if name in all_signals() and name not in LANGUAGE_SIGNALS:
                raise ConfigError(f"`{name}` is a signal of dq; a scorer needs another name", field="scorers")
            if name in found:
                raise ConfigError(f"two scorers give `{name}`; give one another name", field="scorers")
            found[name] = scorer
    return found


def needed(scorers: Sequence[Scorer], names: Collection[str]) -> list[Scorer]:
    """Those that give one of the columns."""
    return [scorer for scorer in scorers if not set(names).isdisjoint(scorer.names)]


def columns_of(scorer: Scorer, texts: pl.Series) -> dict[str, pl.Series]:
    """The columns of a scorer, float64 (labels: string) with null where undefined.

    Raises:
        InputError: it leaves out a column, or does not give one number a text.
    """
    require_live_polars()
    given = scorer.scores(texts)
    found = {}
    for name in scorer.names:
        dtype = pl.String() if name in all_signals() and all_signals()[name].is_label else pl.Float64()
        if name not in given or len(given[name]) != len(texts):
            gave = f"{len(given[name])} values" if name in given else "none"
            raise InputError(f"{type(scorer).__name__}.scores gave {gave} of `{name}` for {len(texts)} texts")
        try:
            column = pl.Series(name, given[name], dtype)
            found[name] = column if dtype == pl.String else column.fill_nan(None)
        except (TypeError, ValueError, pl.exceptions.PolarsError):
            what = "labels" if dtype == pl.String else "numbers"
            raise InputError(f"{type(scorer).__name__}.scores gave no {what} in `{name}`") from None
    return found
