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
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pydantic

from dq.arguments import instance
from dq.config import FieldFault, SparseModel, load_yaml
from dq.errors import ConfigError
from dq.executors import require_live_polars
from dq.quality.rule_kinds import AnyRule, LabelRule, QuantileRule, RuleByLabel, is_fixed
from dq.quality.signals import all_signals, check_signals
from dq.quality.urls import UrlRules
from dq.results import html_table
from dq.text import SPACELESS_SCRIPTS, string_array

VERDICT: dict[str, pl.DataType] = {
    "keep": pl.Boolean(),
    "reasons": pl.List(pl.String()),
    "not_judged": pl.List(pl.String()),
    "script": pl.String(),
}
"""The columns that judging gives."""


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
        bounds = ("minimum", "maximum", "keep_fraction")
        rows = [[rule.reason, rule.signal, *(fixed_value(rule, name) for name in bounds)] for rule in self.rules]
        return pl.DataFrame(rows, schema=names, orient="row")

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
    def labels(self) -> frozenset[str]:
        """The signals among those that are labels."""
        by_label = {rule.by for rule in self.rules if isinstance(rule, RuleByLabel)}
        by_label |= {str(rule.per) for rule in self.rules if isinstance(rule, QuantileRule) and rule.by_label}
        return frozenset(by_label | {rule.signal for rule in self.rules if isinstance(rule, LabelRule)})

    def judged_labels(self, signal: str) -> frozenset[str] | None:
        """The labels that have bounds of their own; None where no rule has bounds by this signal."""
        found = [rule.labels for rule in self.rules if isinstance(rule, RuleByLabel) and rule.by == signal]
        return frozenset().union(*found) if found else None

    def ranked(self, *, strict: bool = False) -> tuple[str, ...]:
        """The signals that quantile rules rank documents by."""
        ranking = [rule for rule in self.rules if isinstance(rule, QuantileRule)]
        return tuple(dict.fromkeys(name for rule in ranking for name in rule.signals(strict=strict)))

    @property
    def is_fixed(self) -> bool:
        """Whether the verdict on a document depends on it alone, so that documents may be judged part by part."""
        return all(map(is_fixed, self.rules))

    def fixed(self, scores: pl.DataFrame, *, strict: bool = False) -> RuleSet:
        """The set with the thresholds that its quantile rules have on a whole corpus.

        Args:
            scores: the signals of the quantile rules and the columns of :attr:`groups`, of every document.
            strict: as in :meth:`judge`.
        """
        rules = [
            rule.fixed(scores, strict=strict) if isinstance(rule, QuantileRule) and not is_fixed(rule) else rule
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
            kind, is_label = scores.schema[name], name in self.labels
            if not (kind == pl.String if is_label else kind.is_numeric() or kind == pl.Boolean) and kind != pl.Null:
                what = "labels" if is_label else "numbers"
                raise ConfigError(f"rule set `{self.name}` judges {what}; the column `{name}` holds {kind}")
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


def fixed_value(rule: AnyRule, name: str) -> float | None:
    """A field of a rule that is one number for all documents; None where the rule has no such field."""
    value = getattr(rule, name, None)
    return value if isinstance(value, (int, float)) else None


def check_rule(rule: AnyRule, *keys: str | int, models: Collection[str] = ()) -> None:
    """Refuse a rule of an unknown signal, or of a label where it needs a number, or the other way round.

    Args:
        rule: one of a file.
        keys: where it stands in the file.
        models: names beside the registered signals.
    """
    wanted = [("signal", rule.signal, isinstance(rule, LabelRule))]
    wanted += [("by", rule.by, True)] if isinstance(rule, RuleByLabel) else []
    for field, name, is_label in wanted:
        try:
            check_signals([name], others=models)
        except ConfigError as error:
            raise FieldFault(f"rule `{rule.reason}`: {error}", *keys, field) from None
        if is_label != (name in all_signals() and all_signals()[name].is_label):
            takes = f"a number; `{field}` takes a label here" if is_label else "a label; give `any_of`, a list of them"
            raise FieldFault(f"rule `{rule.reason}`: `{name}` is {takes}", *keys, field)


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
            check_rule(rule, "rules", at, models=models)

    return load_yaml(path, RuleSet, check=check)
