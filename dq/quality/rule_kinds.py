"""The kinds of rules: which values of a signal each accepts, as expressions over a table of signals.

A rule does not judge where its signal is null, nor, if it is a line rule, a document of fewer lines than ``min_lines``.
A rule with ``by`` has bounds by a label of the document, such as its language.
"""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import polars as pl
import pydantic

from dq.config import FieldFault, StrictModel
from dq.quality.signals import all_signals

OTHER = "*"
"""In bounds by label: all labels that are not named, and documents without one."""


def script_signal(name: str) -> str | None:
    """The signal that is above 0 for documents in scripts that a signal is not made for; None if it is for any text."""
    known = all_signals()
    made_for = known[name].made_for if name in known else "any text"
    if made_for == "any text":
        return None
    return "unsegmented_script" if made_for == "words" else "spaceless_script"


class _JudgesText(StrictModel):
    """What rules of every kind have."""

    signal: str
    """Name of the signal."""
    reason: str
    """What is wrong with a document that fails, such as ``too_few_words``."""
    any_script: bool = False
    """Whether to judge documents in scripts without spaces by a signal that is not made for them."""

    @property
    def script_signal(self) -> str | None:
        """The signal that is above 0 where this rule does not judge; none for a rule that judges any text."""
        return None if self.any_script else script_signal(self.signal)

    def fits(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: whether the signal is made for the document's script."""
        if strict or self.script_signal is None:
            return pl.lit(value=True)
        return pl.col(self.script_signal).fill_null(0) == 0


class _Bounded(_JudgesText):
    """What rules with bounds of their own have."""

    min_lines: int | None = None
    """A line rule does not judge documents of fewer lines than this (unless strict)."""
    line_signal: str = "line_count"
    """The signal that counts the lines for ``min_lines``."""
    strict_signal: str | None = None
    """The signal judged instead under ``strict``, where the source's own definition has a defect."""

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals this rule reads."""
        if strict:
            return (self.strict_signal or self.signal,)
        others = (None if self.min_lines is None else self.line_signal, self.script_signal)
        return (self.signal, *(name for name in others if name is not None))

    def judges(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: whether this rule judges the document."""
        judged = self.fits(strict=strict)
        return judged if strict or self.min_lines is None else judged & (pl.col(self.line_signal) >= self.min_lines)

    def value(self, *, strict: bool = False) -> pl.Expr:
        """What is judged."""
        return pl.col(self.strict_signal if strict and self.strict_signal else self.signal)


class Rule(_Bounded):
    """Accept a document where ``minimum <= signal <= maximum`` (``<`` where a bound is open)."""

    minimum: float | None = None
    """Lowest acceptable value; none by default."""
    maximum: float | None = None
    """Highest acceptable value; none by default."""
    open_minimum: bool = False
    """Whether the minimum itself is unacceptable."""
    open_maximum: bool = False
    """Whether the maximum itself is unacceptable."""

    @pydantic.model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"rule `{self.reason}` has neither a minimum nor a maximum; state one")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise FieldFault(f"rule `{self.reason}` accepts nothing: its minimum is above its maximum", "minimum")
        return self

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        value = self.value(strict=strict)
        failed = pl.lit(value=False)
        if self.minimum is not None:
            failed = failed | (value <= self.minimum if self.open_minimum else value < self.minimum)
        if self.maximum is not None:
            failed = failed | (value >= self.maximum if self.open_maximum else value > self.maximum)
        return (failed & self.judges(strict=strict)).fill_null(value=False)


class RuleByLabel(_Bounded):
    """Accept a document by bounds that its label has, such as those of its language.

    A document whose label has no bound, and none under ``"*"``, is not judged.
    """

    by: str = "language"
    """The signal that is the label."""
    minimum: dict[str, float] = pydantic.Field(default_factory=dict)
    """Lowest acceptable value by label."""
    maximum: dict[str, float] = pydantic.Field(default_factory=dict)
    """Highest acceptable value by label."""

    @pydantic.model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if not self.minimum and not self.maximum:
            raise ValueError(f"rule `{self.reason}` has neither a minimum nor a maximum of any label; state one")
        for label in self.minimum.keys() & self.maximum.keys():
            if self.minimum[label] > self.maximum[label]:
                message = f"rule `{self.reason}` accepts nothing of `{label}`: its minimum is above its maximum"
                raise FieldFault(message, "minimum", label)
        return self

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals this rule reads."""
        return (*super().signals(strict=strict), self.by)

    @property
    def labels(self) -> frozenset[str]:
        """The labels that have a bound of their own."""
        return frozenset((*self.minimum, *self.maximum)) - {OTHER}

    def of(self, label: str | None) -> tuple[float | None, float | None]:
        """Minimum and maximum of a label."""
        low, high = (bounds.get(label or OTHER, bounds.get(OTHER)) for bounds in (self.minimum, self.maximum))
        return low, high

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        value = self.value(strict=strict)
        failed = pl.lit(value=False)
        if self.minimum:
            failed = failed | (value < self._bound(self.minimum)).fill_null(value=False)
        if self.maximum:
            failed = failed | (value > self._bound(self.maximum)).fill_null(value=False)
        return (failed & self.judges(strict=strict)).fill_null(value=False)

    def _bound(self, bounds: dict[str, float]) -> pl.Expr:
        labels, values = list(bounds), list(bounds.values())
        label = pl.col(self.by).cast(pl.String).fill_null(OTHER)
        return label.replace_strict(labels, values, default=bounds.get(OTHER), return_dtype=pl.Float64)


class LabelRule(_JudgesText):
    """Accept a document whose label is one of some; one without a label is none of them."""

    any_of: tuple[str, ...] = pydantic.Field(min_length=1)
    """The acceptable labels."""

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:  # noqa: ARG002 - all rules take it
        """The signals this rule reads."""
        return (self.signal,)

    def fails(self, *, strict: bool = False) -> pl.Expr:  # noqa: ARG002
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        return ~pl.col(self.signal).cast(pl.String).is_in(self.any_of).fill_null(value=False)


class QuantileRule(_JudgesText):
    """Keep the best share of the documents by a signal, within each source or over all.

    The threshold is a value of the table that is judged, so the verdict on a document depends on the others: judge
    whole corpora, or fix the thresholds by a whole corpus first (`RuleSet.fixed`). Equal values at the threshold are
    all kept. Null signals are not judged.
    """

    keep_fraction: float = pydantic.Field(gt=0, lt=1)
    """Share of the documents to keep, such as 0.2."""
    best: Literal["highest", "lowest"] = "highest"
    """Which end of the signal is good."""
    per: str | None = "source"
    """Column or label (`language`) whose values, as text and with null as the empty one, are ranked apart; null ranks
    all together."""

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals this rule reads."""
        others = (None if strict else self.script_signal, self.per if self.by_label else None)
        return (self.signal, *(name for name in others if name is not None))

    @property
    def by_label(self) -> bool:
        """Whether documents are ranked by a signal that is a label, such as the language."""
        return self.per in all_signals() and all_signals()[self.per].is_label

    def value(self, *, strict: bool = False) -> pl.Expr:
        """The signal, null where it is not made for the document's script."""
        return pl.when(self.fits(strict=strict)).then(pl.col(self.signal))

    def threshold(self, *, strict: bool = False) -> pl.Expr:
        """The value at the edge of the share that is kept."""
        if self.best == "highest":
            return self.value(strict=strict).quantile(1 - self.keep_fraction, "higher")
        return self.value(strict=strict).quantile(self.keep_fraction, "lower")

    @property
    def group(self) -> pl.Expr:
        """What a document is ranked with."""
        return (pl.col(self.per).cast(pl.String).fill_null("") if self.per else pl.lit("")).alias("group")

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        threshold = self.threshold(strict=strict)
        return _beyond(self.value(strict=strict), threshold.over(self.group) if self.per else threshold, self.best)

    def fixed(self, scores: pl.DataFrame, *, strict: bool = False) -> FixedQuantileRule:
        """The rule with the thresholds of these documents, for judging them part by part."""
        groups = scores.group_by(self.group).agg(self.threshold(strict=strict).alias("threshold"))
        thresholds = dict(sorted(groups.drop_nulls().iter_rows()))
        return FixedQuantileRule(**self.model_dump(), thresholds=thresholds)


class FixedQuantileRule(QuantileRule):
    """A quantile rule whose thresholds are known: the verdict on a document depends on it alone.

    Documents of a group without a threshold are not judged.
    """

    thresholds: dict[str, float]
    """The lowest (or highest) acceptable value of each group; of the group ``""`` where all are ranked together."""

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        groups, values = list(self.thresholds), list(self.thresholds.values())
        threshold = self.group.replace_strict(groups, values, default=None, return_dtype=pl.Float64)
        return _beyond(self.value(strict=strict), threshold, self.best)


def _beyond(value: pl.Expr, threshold: pl.Expr, best: str) -> pl.Expr:
    """Whether values are worse than the threshold; false where either is null."""
    return (value < threshold if best == "highest" else value > threshold).fill_null(value=False)


def is_fixed(rule: AnyRule) -> bool:
    """Whether the verdict on a document depends on it alone."""
    return isinstance(rule, FixedQuantileRule) or not isinstance(rule, QuantileRule)


AnyRule: TypeAlias = Rule | RuleByLabel | LabelRule | FixedQuantileRule | QuantileRule
