"""What the report shows, gathered from a workspace's files. Nothing here computes a result."""

from __future__ import annotations

import importlib.metadata
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.inspect.rules import accepted_values, rules_of_job
from dq.quality import QuantileRule, RuleSet
from dq.quality.rule_kinds import AnyRule
from dq.report.facts import Facts, gather_facts
from dq.stages.base import View
from dq.stages.fates import count_fates
from dq.stages.heldout import Heldout
from dq.stages.planted import Planted
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.signals import Signals
from dq.stages.verdicts import Verdicts
from dq.store import Workspace, read_json, read_parquet, read_record

EXCERPT_CHARACTERS = 600
EXAMPLES_PER_REASON = 3
MAX_REASONS = 12
PAIR_EXAMPLES = 6
PACKAGES = ("dq-scaling", "numba", "numpy", "polars", "pyarrow", "scipy", "tokenizers", "torch")


@dataclass(frozen=True)
class Example:
    """One document to look at: what happened to it, why, and its beginning (untrusted text)."""

    id: str
    source: str
    why: str
    excerpt: str


@dataclass(frozen=True)
class ReportData:
    """Everything the template and the figures need."""

    study: dict[str, Any]
    facts: Facts
    rules: RuleSet
    accepted: list[tuple[str, str, str]]
    points: pl.DataFrame
    fates: pl.DataFrame
    reasons: pl.DataFrame
    dropped_documents: int
    dropped: dict[str, list[Example]]
    pairs: list[tuple[Example, Example]]
    excluded: list[Example]
    read: dict[str, Any]
    stages: list[tuple[str, str]]
    versions: dict[str, str]
    planted: list[dict[str, Any]]


def gather(workspace: Workspace, study: Path) -> ReportData:
    """Read a finished study and the stages behind it.

    Raises:
        WorkspaceError: something has not finished.
    """
    view = View.of(workspace)
    corpus, heldout, verdicts = view.open(Documents, "judged"), view.open(Heldout), view.open(Verdicts).table()
    found, rules = read_json(study / "comparison.json"), rules_of_job(view)
    available = pl.Series(~heldout.withheld)
    reasons = verdicts.filter(available)["reasons"]
    return ReportData(
        study=found,
        facts=gather_facts(workspace, found, view),
        rules=rules,
        accepted=[(rule.reason, rule.signal, _accepted(rule)) for rule in rules.rules],
        points=read_parquet(study / "points.parquet"),
        fates=count_fates(view),
        reasons=_count_reasons(reasons),
        dropped_documents=int((reasons.list.len() > 0).sum()),
        dropped=_dropped_examples(view, rules, verdicts=verdicts.filter(available), available=available),
        pairs=_pair_examples(view),
        excluded=_excluded_examples(corpus, heldout),
        read=dict(view.record(Documents).summary),
        stages=[
            (path.parent.relative_to(workspace.root).as_posix(), read_record(path.parent).fingerprint)
            for path in sorted(workspace.root.glob("*/**/stage.json"))
        ],
        versions={name: _version(name) for name in PACKAGES},
        planted=view.open(Planted).controls,
    )


def check_reportable(workspace: Workspace) -> None:
    """Check before anything is trained that a report can be made of the job.

    Raises:
        WorkspaceError: one of its stages has not finished, or was made by another version of dq.
    """
    view = View.of(workspace)
    for output in (Verdicts, Signals, Selected, Heldout, Planted):
        view.record(output)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _accepted(rule: AnyRule) -> str:
    """What a rule accepts; one that ranks each source apart has as many thresholds as there are sources."""
    if isinstance(rule, QuantileRule) and rule.per:
        return f"the {rule.best} {rule.keep_fraction:.0%} of each {rule.per}"
    return accepted_values(rule, "")


def _count_reasons(reasons: pl.Series) -> pl.DataFrame:
    """How many documents each reason drops, and how many it drops alone."""
    frame = pl.DataFrame({"reasons": reasons}).filter(pl.col("reasons").list.len() > 0)
    frame = frame.with_columns(alone=pl.col("reasons").list.len() == 1).explode("reasons")
    counted = frame.group_by(reason="reasons").agg(pl.len().alias("documents"), pl.col("alone").sum())
    return counted.sort("documents", "reason", descending=[True, False])


def _example(corpus: Corpus, document: int, why: str) -> Example:
    row = corpus.documents.row(document, named=True)
    text = corpus.text_of(document)
    excerpt = text[:EXCERPT_CHARACTERS] + (" …" if len(text) > EXCERPT_CHARACTERS else "")
    return Example(row["id"], row["source"], why, excerpt)


def _dropped_examples(
    view: View, rules: RuleSet, *, verdicts: pl.DataFrame, available: pl.Series
) -> dict[str, list[Example]]:
    """Of each reason the first documents, each with the value that was judged and what would have been accepted."""
    corpus, by_reason = view.open(Documents, "judged"), {rule.reason: rule for rule in rules.rules}
    shown = _count_reasons(verdicts["reasons"])["reason"].head(MAX_REASONS).to_list()
    signals = sorted({by_reason[reason].signal for reason in shown} | rules.labels) if shown else []
    values = view.open(Signals).table(signals) if signals else pl.DataFrame()
    rows = pl.DataFrame({"document": np.flatnonzero(available.to_numpy()), "reasons": verdicts["reasons"]})
    found: dict[str, list[Example]] = {}
    for reason in shown:
        rule = by_reason[reason]
        having = rows.filter(pl.col("reasons").list.contains(reason)).head(EXAMPLES_PER_REASON)
        found[reason] = []
        for document, reasons in having.iter_rows():
            value = values[rule.signal][document]
            accepted = accepted_values(rule, corpus.documents["source"][document], values.row(document, named=True))
            others = ", ".join(one for one in reasons if one != reason)
            judged = f"{value:.6g}" if isinstance(value, (int, float)) else value or "undefined"
            why = f"{rule.signal} is {judged}, accepted {accepted}{f'; also {others}' if others else ''}"
            found[reason].append(_example(corpus, document, why))
    return found


def _pair_examples(view: View) -> list[tuple[Example, Example]]:
    corpus = view.open(Documents, "deduplicated")
    removed = (
        view.open(Selected)
        .table()
        .with_row_index("document")
        .filter(pl.col("kept_document").is_not_null() & ~pl.col("kept"))
    )
    # The least similar first: those are the ones to doubt.
    chosen = removed.sort("similarity", "document").head(PAIR_EXAMPLES).to_dicts()
    return [
        (
            _example(corpus, row["document"], f"removed: similarity {row['similarity']:.3f}"),
            _example(corpus, row["kept_document"], "kept"),
        )
        for row in chosen
    ]


def _excluded_examples(corpus: Corpus, heldout: Heldout) -> list[Example]:
    rows = itertools.islice(heldout.exclusions.sort("score", "document").to_dicts(), PAIR_EXAMPLES)
    return [
        _example(
            corpus, row["document"], f"{row['measure']} {row['score']:.3f} to {row['heldout_id']} of set {row['set']}"
        )
        for row in rows
    ]
