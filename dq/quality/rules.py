"""Rules: numbers to verdicts. Every document gets the full set of its reasons, and no text is touched.

A rule states which values are acceptable. It does not judge where its signal is null, nor, if it is a line rule, a
document of fewer lines than ``min_lines``: one-line news is not bad text. Nor does a rule whose signal is of words,
spaces or English (`Signal.made_for`) judge a document that is mostly in a script without spaces between words, such as
Thai, unless ``any_script`` says so; the verdict then names the script and the rules that did not judge. ``strict``
judges every document as the rule's source does, defects included.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pydantic

from dq.arguments import instance
from dq.config import FieldFault, SparseModel, StrictModel, load_yaml
from dq.errors import ConfigError
from dq.executors import require_live_polars
from dq.quality.signals import all_signals, check_signals
from dq.quality.urls import UrlRules
from dq.results import html_table
from dq.text import SPACELESS_SCRIPTS, string_array


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


class Rule(_JudgesText):
    """Accept a document where ``minimum <= signal <= maximum`` (``<`` where a bound is open)."""

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
            raise FieldFault(f"rule `{self.reason}` accepts nothing: its minimum is above its maximum", "minimum")
        return self

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

    def fails(self, *, strict: bool = False) -> pl.Expr:
        """A boolean expression over a table of signals: true where the document fails this rule; never null."""
        value = pl.col(self.strict_signal if strict and self.strict_signal else self.signal)
        failed = pl.lit(value=False)
        if self.minimum is not None:
            failed = failed | (value <= self.minimum if self.open_minimum else value < self.minimum)
        if self.maximum is not None:
            failed = failed | (value >= self.maximum if self.open_maximum else value > self.maximum)
        return (failed & self.judges(strict=strict)).fill_null(value=False)


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
    """Column whose values, as text and with null as the empty one, are ranked apart; null ranks all together."""

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals this rule reads."""
        return (self.signal,) if strict or self.script_signal is None else (self.signal, self.script_signal)

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


VERDICT: dict[str, pl.DataType] = {
    "keep": pl.Boolean(),
    "reasons": pl.List(pl.String()),
    "not_judged": pl.List(pl.String()),
    "script": pl.String(),
}
"""The columns that judging gives."""
AnyRule: TypeAlias = Rule | FixedQuantileRule | QuantileRule


class RuleSet(SparseModel):
    """Named rules judged together."""

    name: str
    """Name of the set, such as ``gopher_quality``."""
    rules: tuple[AnyRule, ...]
    """The rules, in the order in which reasons are listed."""
    urls: UrlRules | None = None
    """Rules about addresses, which judge documents where these are known: in files and in jobs."""

    def for_any_script(self) -> RuleSet:
        """The set whose rules all judge documents in scripts without spaces too."""
        return self.model_copy(
            update={"rules": tuple(rule.model_copy(update={"any_script": True}) for rule in self.rules)}
        )

    @pydantic.model_validator(mode="after")
    def _reasons_differ(self) -> Self:
        reasons = [rule.reason for rule in self.rules]
        for at, reason in enumerate(reasons):
            if reason in reasons[:at]:
                message = f"rule set `{self.name}` gives the reason `{reason}` twice; reasons must differ"
                raise FieldFault(message, "rules", at, "reason")
        return self

    def __repr__(self) -> str:
        return f"RuleSet({self.name!r}, {len(self.rules)} rules)"

    __str__ = __repr__

    def to_frame(self) -> pl.DataFrame:
        """A row a rule: reason, signal, minimum, maximum (of fixed bounds), keep_fraction (of quantile rules)."""
        text, number = pl.String, pl.Float64
        names: dict[str, type[pl.DataType]] = {"reason": text, "signal": text}
        names |= {"minimum": number, "maximum": number, "keep_fraction": number}
        return pl.DataFrame([{n: getattr(rule, n, None) for n in names} for rule in self.rules], schema=names)

    def _repr_html_(self) -> str:
        """What a notebook shows: the rules."""
        frame = self.to_frame()
        return html_table(f"{self!r}", frame.columns, frame.rows())

    def signals(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals these rules read, each once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.signals(strict=strict)))

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns beside signals that quantile rules rank documents by."""
        return tuple(dict.fromkeys(rule.per for rule in self.rules if isinstance(rule, QuantileRule) and rule.per))

    @property
    def is_fixed(self) -> bool:
        """Whether the verdict on a document depends on it alone, so that documents may be judged part by part."""
        return all(isinstance(rule, (Rule, FixedQuantileRule)) for rule in self.rules)

    def fixed(self, scores: pl.DataFrame, *, strict: bool = False) -> RuleSet:
        """The set with the thresholds that its quantile rules have on a whole corpus.

        Args:
            scores: the signals of the quantile rules and the columns of :attr:`groups`, of every document.
            strict: as in :meth:`judge`.
        """
        rules = [
            rule if isinstance(rule, (Rule, FixedQuantileRule)) else rule.fixed(scores, strict=strict)
            for rule in self.rules
        ]
        return self.model_copy(update={"rules": tuple(rules)})

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
            One row a document: ``keep`` (bool), ``reasons`` (list of str, empty where kept), ``not_judged`` (list of
            str: the reasons of the rules that are not made for the document's script) and ``script`` (the script
            without spaces that is meant; null where every rule fits).

        Raises:
            ConfigError: it is no such table, a signal is not in it, or holds no numbers.
        """
        require_live_polars()
        instance(scores, pl.DataFrame, name="scores", remedy="pass what dq.score gives, or a polars DataFrame like it")
        for name in (*self.signals(strict=strict), *self.groups):
            if name not in scores.columns:
                known = name in all_signals()
                of = f"dq.quality.score(texts, rules.signals({'strict=True' if strict else ''}))"
                hint = f"compute it by {of}" if known else "it is no signal of dq: add it, or its scorer"
                raise ConfigError(f"rule set `{self.name}` needs the column `{name}`, not in the table; {hint}")
        for name in self.signals(strict=strict):
            kind = scores.schema[name]
            if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
                raise ConfigError(f"rule set `{self.name}` judges numbers; the column `{name}` holds {kind}")
        failed = np.zeros((len(scores), len(self.rules)), np.bool_)
        if self.rules:
            named = [rule.fails(strict=strict).alias(rule.reason) for rule in self.rules]
            failed[:] = scores.select(named).to_numpy()
        reasons, unfit = [rule.reason for rule in self.rules], np.zeros_like(failed)
        script = np.zeros(len(scores), np.int64)
        for number, rule in enumerate(self.rules):
            if not strict and rule.script_signal is not None:
                of_rule = scores[rule.script_signal].fill_null(0).to_numpy()
                unfit[:, number] = of_rule > 0
                script = np.maximum(script, of_rule)
        return pl.DataFrame(
            {
                "keep": ~failed.any(axis=1),
                "reasons": _lists(failed, reasons),
                "not_judged": _lists(unfit, reasons),
                "script": script_names(pl.Series(script)),
            }
        )


def script_names(numbers: pl.Series) -> pl.Series:
    """Names of scripts without spaces, given the values of ``spaceless_script``; null for 0."""
    known = dict(enumerate(SPACELESS_SCRIPTS, start=1))
    return numbers.replace_strict(known, default=None, return_dtype=pl.String)


def script_warning(script: str, documents: int, not_judged: Sequence[str]) -> str:
    """What the user should know of documents that rules did not judge for their script."""
    some = ", ".join(not_judged[:3]) + ", ..." * (len(not_judged) > 3)
    return (
        f"{documents:,} documents are mostly {script}, a script without spaces between words: {len(not_judged)} rules "
        f"made for words, spaces or English did not judge them ({some})"
    )


def script_note(script: str, documents: int, signals: Sequence[str]) -> str:
    """The same of signals that say little of such documents."""
    some = ", ".join(signals[:3]) + ", ..." * (len(signals) > 3)
    return (
        f"{documents:,} documents are mostly {script}, a script without spaces between words: {len(signals)} signals "
        f"made for words, spaces or English say little of them ({some})"
    )


def a_rule_set(rules: Any) -> RuleSet:
    """The value of an argument that takes rules.

    Raises:
        ConfigError: it is something else; the message says where rules come from.
    """
    remedy = "use a preset, such as dq.presets.fineweb(), or dq.quality.load_rules(path)"
    return instance(rules, RuleSet, name="rules", remedy=remedy)


def _lists(failed: np.ndarray[Any, np.dtype[np.bool_]], reasons: Sequence[str]) -> pl.Series:
    """The reasons of each row, in rule order; makes no column of strings a rule, as `RuleSet.reasons` does."""
    _, rules = np.nonzero(failed)
    ends = np.cumsum(failed.sum(axis=1))
    names = string_array(reasons).take(pl.Series(rules).to_arrow())
    offsets = pl.Series(np.concatenate([np.zeros(1, np.int64), ends])).to_arrow()
    return pl.Series("reasons", pa.LargeListArray.from_arrays(offsets, names), pl.List(pl.String))


def load_rules(path: str | Path, *, models: Collection[str] = ()) -> RuleSet:
    """Read a rule set from YAML: ``name`` and ``rules``, with the fields of :class:`Rule` or :class:`QuantileRule`.

    Args:
        path: the file.
        models: names beside the registered signals that rules may use.

    Raises:
        ConfigError: the file does not fit, or a rule names no known signal; one line with file, line and remedy.
    """

    def check(rules: RuleSet) -> None:
        for at, rule in enumerate(rules.rules):
            try:
                check_signals([rule.signal], others=models)
            except ConfigError as error:
                raise FieldFault(f"rule `{rule.reason}`: {error}", "rules", at, "signal") from None

    return load_yaml(path, RuleSet, check=check)
