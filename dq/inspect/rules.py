"""The rules that judged, as they were then, and what they accept: read from what the commands leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from dq.corpus.fields import json_field
from dq.errors import WorkspaceError
from dq.quality import FixedQuantileRule, LabelRule, Rule, RuleByLabel, RuleSet
from dq.quality.rule_kinds import AnyRule
from dq.quality.urls import UrlRules
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.verdicts import Verdicts
from dq.store import read_record

WORDS = ("at least", "at most")


def rules_of_job(view: View) -> RuleSet:
    """The rules of a workspace, with the thresholds that quantile rules had."""
    rules = view.open(Verdicts).rules
    if rules.is_fixed:
        return rules
    return rules.fixed(view.open(Signals).table().with_columns(view.open(Documents, "judged").documents["source"]))


def rules_of_filter(folder: Path) -> tuple[RuleSet, bool]:
    """The rules of a folder that `dq filter` wrote, and whether they were strict.

    Raises:
        WorkspaceError: no filter wrote it.
    """
    if not (folder / "stage.json").exists() or (record := read_record(folder)).stage != "filter":
        raise WorkspaceError(
            f"{folder}: nothing that can be inspected; give a folder of `dq filter` (or, for what it dropped, of "
            "`dq decontaminate`), or a workspace of `dq run` or `dq dedup`"
        )
    return RuleSet.model_validate(record.summary["rule_set"], strict=False), bool(record.summary["strict"])


def benchmarks_of_folder(folder: Path) -> list[str] | None:
    """The benchmarks of a folder that `dq decontaminate` wrote; None of any other."""
    if not (folder / "stage.json").exists() or (record := read_record(folder)).stage != "decontaminate":
        return None
    return [one["name"] for one in record.config["benchmarks"]]


def found_now(urls: UrlRules, meta: str) -> tuple[str | None, list[str]]:
    """The address of a document of a job, and what rules about addresses find in it: a job keeps only their names."""
    address = json_field(pl.Series([meta]), urls.field)
    return address[0], urls.judge(address)["entries"][0].to_list()


def entry_of(reason: str, entries: Sequence[str]) -> str | None:
    """Of what rules about addresses found, the entry for a reason: it stands behind its name."""
    found = (one.partition(": ") for one in entries)
    return next((entry for name, _, entry in found if name == reason), None)


def accepted_values(rule: AnyRule, source: str, values: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Which values of its signal a rule accepts, in words.

    Args:
        rule: one of a set.
        source: of the document that is judged.
        values: its signals. Bounds by a label that is not among them are told as their range.
    """
    if isinstance(rule, LabelRule):
        return " or ".join(rule.any_of)
    if isinstance(rule, RuleByLabel) and rule.by in values:
        label = values[rule.by]
        parts = [f"{word} {bound:g}" for word, bound in zip(WORDS, rule.of(label), strict=True) if bound is not None]
        return f"{' and '.join(parts)} in {label}"
    if isinstance(rule, RuleByLabel):
        bounds = [(word, sorted(of.values())) for word, of in zip(WORDS, (rule.minimum, rule.maximum), strict=True)]
        return " and ".join(f"{word} {of[0]:g} to {of[-1]:g} by {rule.by}" for word, of in bounds if of)
    if not isinstance(rule, Rule):
        assert isinstance(rule, FixedQuantileRule)  # what judged documents part by part
        bound = "at least" if rule.best == "highest" else "at most"
        group = str(values.get(str(rule.per)) or "") if rule.by_label else source if rule.per else ""
        return f"{bound} {rule.thresholds[group]:g}, the best {rule.keep_fraction:.0%} of {group or 'all'}"
    parts = []
    if rule.minimum is not None:
        parts.append(f"{'above' if rule.open_minimum else 'at least'} {rule.minimum:g}")
    if rule.maximum is not None:
        parts.append(f"{'below' if rule.open_maximum else 'at most'} {rule.maximum:g}")
    return " and ".join(parts)
