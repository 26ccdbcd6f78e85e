"""A rule set as a step of a datatrove pipeline, judged a batch at a time.

datatrove names one reason a dropped document; it gets the first in rule order, in its counters (``dropped_<reason>``)
and in the exclusion writer's ``filter_reason``. The full list is in ``metadata["filter_reasons"]``, the values of the
rules' signals in ``metadata["filter_values"]``, and ``failed_<reason>`` counts every document that fails a rule.
Documents in scripts without spaces are not judged by rules of words: those are in ``metadata["filter_not_judged"]``,
and ``not_judged_<script>`` counts the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from dq.arguments import whole_number
from dq.errors import require
from dq.quality import RuleSet, Scorer, a_rule_set, judge_texts
from dq.text import WordDefinition

if TYPE_CHECKING:
    from datatrove.data import Document

_base = require("datatrove.pipeline.filters.base_filter")


class Filter(_base.BaseFilter):  # type: ignore[misc,name-defined]
    """Drop the documents that a rule set drops.

    Args:
        rules: such as ``dq.presets.fineweb_quality()``.
        exclusion_writer: a datatrove writer for the dropped documents.
        scorers: who gives the columns that rules name beside signals.
        batch_size: documents that are scored together; larger is faster.
        strict: judge as the rules' sources do, defects included.
        words: ``unicode``, ``whitespace`` or ``dictionary``, see ``dq.score``.
    """

    name = "dq rules"

    def __init__(
        self,
        rules: RuleSet,
        exclusion_writer: Any = None,
        *,
        scorers: Sequence[Scorer] = (),
        batch_size: int = 1000,
        strict: bool = False,
        words: WordDefinition = "unicode",
    ) -> None:
        self.name = f"dq: {a_rule_set(rules).name}"  # before the base, which names its counters after it
        super().__init__(exclusion_writer, whole_number(batch_size, name="batch_size", least=1))
        self.rules = rules
        self.scorers = scorers
        self.strict = strict
        self.words = words

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Judge one document."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Judge documents together: true, or false with the first reason."""
        names = self.rules.signals(strict=self.strict)
        texts = [doc.text for doc in batch]
        judged = judge_texts(texts, self.rules, scorers=self.scorers, strict=self.strict, words=self.words)
        unfit = judged.with_row_index("at").filter(pl.col("script").is_not_null())
        for row in unfit.iter_rows(named=True):
            batch[row["at"]].metadata["filter_not_judged"] = row["not_judged"]
            self.stat_update(f"not_judged_{row['script']}")
        results: list[bool | tuple[bool, str]] = [True] * len(batch)
        dropped = judged.with_row_index("at").filter(~pl.col("keep"))
        for row in dropped.iter_rows(named=True):
            reasons = row["reasons"]
            batch[row["at"]].metadata["filter_reasons"] = reasons
            batch[row["at"]].metadata["filter_values"] = {name: row[name] for name in names}
            for reason in reasons:
                self.stat_update(f"failed_{reason}")
            results[row["at"]] = (False, reasons[0])
        return results
