"""From texts to verdicts in one call, for pipelines that hand over documents batch by batch."""

from __future__ import annotations

import polars as pl

from dq.errors import ConfigError
from dq.quality.rules import RuleSet
from dq.quality.signals import score
from dq.text.buffers import Texts
from dq.text.words import WordDefinition

__all__ = ["judge_texts"]


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
