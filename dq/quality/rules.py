"""Rules: numbers to verdicts. Every document gets the full set of its reasons, and no text is touched.

A rule states which values are acceptable. It does not judge where its signal is null, nor, if it is a line rule, a
document of fewer lines than ``min_lines``: one-line news is not bad text. ``strict`` judges every document as the
rule's source does, defects included.
"""

from __future__ import annotations

from typing import Self

import polars as pl
import pydantic

from dq.config import StrictModel
from dq.errors import ConfigError
from dq.quality.registry import signal

__all__ = ["Rule", "RuleSet"]


class Rule(StrictModel):
    """Accept a document where ``minimum <= signal <= maximum`` (``<`` where a bound is open)."""

    signal: str
    """Name of the signal."""
    reason: str
    """What is wrong with a document that fails, such as ``too_few_words``."""
    minimum: float | None = None
    """Lowest acceptable value; none by default."""
    maximum: float | None = None
    """Highest acceptable value; none by default."""
    open_minimum: bool = False
    """Whether the minimum itself is unacceptable."""
    open_maximum: bool = False
    """Whether the maximum itself is unacceptable."""
    min_lines: int | None = None
    """A line rule does not judge documents of fewer lines than this (unless strict)."""
    line_signal: str = "line_count"
    """The signal that counts the lines for ``min_lines``."""
    strict_signal: str | None = None
    """The signal judged instead under ``strict``, where the source's own definition has a defect."""

    @pydantic.model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"rule `{self.reason}` has neither a minimum nor a maximum; state one")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"rule `{self.reason}` accepts nothing: its minimum is above its maximum")
        return self

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals this rule reads."""
        judged = self.strict_signal if strict and self.strict_signal else self.signal
        return (judged,) if strict or self.min_lines is None else (judged, self.line_signal)

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        value = pl.col(self.strict_signal if strict and self.strict_signal else self.signal)
        failed = pl.lit(value=False)
        if self.minimum is not None:
            failed = failed | (value <= self.minimum if self.open_minimum else value < self.minimum)
        if self.maximum is not None:
            failed = failed | (value >= self.maximum if self.open_maximum else value > self.maximum)
        if self.min_lines is not None and not strict:
            failed = failed & (pl.col(self.line_signal) >= self.min_lines)
        return failed.fill_null(value=False)


class RuleSet(StrictModel):
    """Named rules judged together."""

    name: str
    """Name of the set, such as ``gopher_quality``."""
    rules: tuple[Rule, ...]
    """The rules, in the order in which reasons are listed."""

    @pydantic.model_validator(mode="after")
    def _reasons_differ(self) -> Self:
        reasons = [rule.reason for rule in self.rules]
        twice = {reason for reason in reasons if reasons.count(reason) > 1}
        if twice:
            raise ValueError(f"rule set `{self.name}` gives the reason `{min(twice)}` twice; reasons must differ")
        return self

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals these rules read, each once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.signals(strict=strict)))

    def keep(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where every rule accepts the document."""
        return ~pl.any_horizontal([pl.lit(value=False), *(rule.fails(strict=strict) for rule in self.rules)])

    def reasons(self, *, strict: bool = False) -> pl.Expr:
        """An expression over a table of signals: the reasons of every rule that fails, in rule order."""
        none = pl.lit(None, dtype=pl.String)
        found = [pl.when(rule.fails(strict=strict)).then(pl.lit(rule.reason)).otherwise(none) for rule in self.rules]
        if not found:
            return pl.lit([], dtype=pl.List(pl.String))
        return pl.concat_list(found).list.drop_nulls()

    def judge(self, scores: pl.DataFrame, *, strict: bool = False) -> pl.DataFrame:
        """Judge documents by their signals.

        Args:
            scores: a table with the columns that :meth:`signals` names.
            strict: judge as the rules' sources do, line rules on short documents and known defects included.

        Returns:
            One row a document: ``keep`` (bool) and ``reasons`` (list of str, empty where kept).

        Raises:
            ConfigError: a signal is not in the table.
        """
        for name in self.signals(strict=strict):
            if name not in scores.columns:
                hint = "compute it with dq.quality.score" if _is_known(name) else "no such signal is registered"
                raise ConfigError(f"rule set `{self.name}` needs the signal `{name}`, not in the table; {hint}")
        return scores.select(self.keep(strict=strict).alias("keep"), self.reasons(strict=strict).alias("reasons"))


def _is_known(name: str) -> bool:
    try:
        signal(name)
    except ConfigError:
        return False
    return True
