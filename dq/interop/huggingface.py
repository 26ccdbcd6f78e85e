"""Signals and verdicts for Hugging Face `datasets`: callables for its batched ``map`` and ``filter``.

    dataset.map(Score(), batched=True)                  further columns: the signals
    dataset.map(Judge(rules), batched=True)             further columns: keep, reasons, not_judged, script
    dataset.filter(Keep(rules), batched=True)           what the rules keep

They pickle and hash the same in every process (the cache of `datasets` finds its results again). `datasets` forks for
``num_proc``, and polars does not survive a fork after its first use: a process that has scored or judged anything
calls ``multiprocess.set_start_method("spawn")`` before it uses ``num_proc``; without it its children say so.
They take a batch in any format that has columns (Python, Arrow, polars), so this module needs no import of `datasets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from dq.interop.columns import texts_of
from dq.quality import VERDICT, RuleSet, Scorer, a_rule_set, judge_texts, schema
from dq.quality import score as score_texts
from dq.text import WordDefinition


class Adapter:
    """Two with equal settings are equal, in whatever process they were made."""

    text: str

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.text))


class Score(Adapter):
    """For ``Dataset.map(batched=True)``: adds one column a signal.

    Args:
        signals: names from the table of signals; default: all.
        scorers: who gives further columns; they are pickled with this.
        text: the column of texts.
        words: ``unicode``, ``whitespace`` or ``dictionary``, see ``dq.score``.
    """

    def __init__(
        self,
        signals: Iterable[str] | None = None,
        *,
        scorers: Sequence[Scorer] = (),
        text: str = "text",
        words: WordDefinition = "unicode",
    ) -> None:
        self.signals = tuple(schema(signals, scorers=scorers))
        self.scorers, self.text, self.words = tuple(scorers), text, words

    def scores(self, batch: Any) -> pl.DataFrame:
        """The columns of signals for a batch of columns."""
        return score_texts(texts_of(batch, self.text), self.signals, scorers=self.scorers, words=self.words)

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """Columns of signals for a batch of columns."""
        return self.scores(batch).to_dict(as_series=False)


class Rules(Adapter):
    """A rule set as JSON text, so that equal rules pickle to equal bytes in every process."""

    def __init__(
        self,
        rules: RuleSet,
        *,
        scorers: Sequence[Scorer] = (),
        text: str = "text",
        strict: bool = False,
        words: WordDefinition = "unicode",
    ) -> None:
        self.rules_json = a_rule_set(rules).model_dump_json()
        self.scorers, self.text, self.strict, self.words = tuple(scorers), text, strict, words

    def verdicts(self, batch: Any) -> pl.DataFrame:
        """The columns of verdicts for a batch of columns."""
        rules = RuleSet.model_validate_json(self.rules_json)
        texts = texts_of(batch, self.text)
        judged = judge_texts(texts, rules, scorers=self.scorers, strict=self.strict, words=self.words)
        return judged.select(*VERDICT)


class Judge(Rules):
    """For ``Dataset.map(batched=True)``: adds ``keep`` (bool), ``reasons``, ``not_judged`` and ``script``.

    ``reasons`` is empty where kept; ``not_judged`` lists rules not made for the text's ``script``, such as Thai.
    """

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """Verdicts for a batch of columns."""
        return self.verdicts(batch).to_dict(as_series=False)


class Keep(Rules):
    """For ``Dataset.filter(batched=True)``: true for the documents that every rule accepts."""

    def __call__(self, batch: Any) -> list[bool]:
        """One verdict a document of the batch."""
        return self.verdicts(batch)["keep"].to_list()
