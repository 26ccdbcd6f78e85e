"""Dropped documents again: those that a rule dropped, with the value it judged and the bound that the value missed.

Whatever dropped them: a workspace keeps verdicts and signals beside its corpus, `dq filter` a folder of dropped
documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.errors import ConfigError, InputError, WorkspaceError, nearest
from dq.quality import FixedQuantileRule, Rule, RuleSet
from dq.quality.rules import AnyRule
from dq.results import Result
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.verdicts import Verdicts
from dq.store import Workspace, read_record


@dataclass(frozen=True)
class DroppedDocument(Result):
    """One dropped document and why: ``signal`` had ``value``, and ``accepted`` says which values are fine."""

    id: str
    source: str
    reason: str
    signal: str
    value: float | None
    accepted: str
    reasons: tuple[str, ...]
    text: str


def dropped_documents(folder: Path, reason: str, *, limit: int = 10) -> list[DroppedDocument]:
    """The first documents that a rule dropped, in the order of the files.

    Args:
        folder: what ``dq filter --dropped`` wrote, or the workspace of ``dq run``.
        reason: a reason of its rules.
        limit: at most so many.

    Raises:
        ConfigError: no rule gives this reason; the message names the nearest.
        InputError, WorkspaceError: the folder does not hold dropped documents.
    """
    judged: _Judged = _InWorkspace(folder) if Workspace(folder).marker.exists() else _InFolder(folder)
    rule = _rule(judged.rules, reason)
    signal = rule.signals(strict=judged.strict)[0]
    return [
        DroppedDocument(
            id=row["id"],
            source=row["source"],
            reason=reason,
            signal=signal,
            value=row[signal],
            accepted=_accepted(rule, row["source"]),
            reasons=tuple(row["reasons"]),
            text=row["text"],
        )
        for row in itertools.islice(judged.rows(reason, signal), limit)
    ]


class _Judged(Protocol):
    """Documents that rules have judged."""

    rules: RuleSet
    strict: bool

    def rows(self, reason: str, signal: str) -> Iterator[dict[str, Any]]:
        """Those with a reason, in order: id, source, text, reasons and the signal's value."""


class _InFolder:
    """What `dq filter` dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "stage.json").exists() or (record := read_record(folder)).stage != "filter":
            raise WorkspaceError(
                f"{folder}: no dropped documents; give the folder that `dq filter --dropped` wrote, or a workspace of "
                "`dq run`"
            )
        self.rules = RuleSet.model_validate(record.summary["rule_set"], strict=False)
        self.strict = bool(record.summary["strict"])

    def rows(self, reason: str, signal: str) -> Iterator[dict[str, Any]]:
        """Those with a reason, file by file."""
        for path in sorted(self._folder.glob("[0-9]*.parquet")):
            try:
                with pq.ParquetFile(path, buffer_size=1 << 20) as file:
                    if "reasons" not in file.schema_arrow.names:
                        raise InputError(f"{path}: holds kept documents; give the folder of `dq filter --dropped`")
                    columns = ["id", "source", "text", "reasons", signal]
                    for batch in file.iter_batches(batch_size=256, columns=columns):
                        yield from _with_reason(batch, reason)
            except (OSError, pa.ArrowException) as error:
                what = " ".join(str(error).split())
                raise InputError(f"{path}: cannot be read: {what}; run the filter again") from None


def _with_reason(batch: pa.RecordBatch, reason: str) -> list[dict[str, Any]]:
    reasons = batch.column("reasons")
    hits = pc.equal(reasons.flatten(), reason)
    rows = pc.list_parent_indices(reasons).filter(hits)
    return list(batch.take(rows).to_pylist())


class _InWorkspace:
    """What the rules of `dq run` drop, held-out documents among them."""

    def __init__(self, folder: Path) -> None:
        view = View.of(Workspace(folder))
        self._corpus, self._verdicts = view.open(Documents, "judged"), view.open(Verdicts)
        self._signals = view.open(Signals)
        self.rules, self.strict = self._verdicts.rules, False
        if not self.rules.is_fixed:
            self.rules = self.rules.fixed(self._signals.table().with_columns(self._corpus.documents["source"]))

    def rows(self, reason: str, signal: str) -> Iterator[dict[str, Any]]:
        """Those with a reason, a shard's texts at a time."""
        documents = self._corpus.documents.select("id", "source", "shard").with_row_index("document")
        table = documents.hstack(self._verdicts.table.select("reasons")).hstack(self._signals.table([signal]))
        table = table.with_columns(first=pl.col("document").min().over("shard"))
        for shard in table.filter(pl.col("reasons").list.contains(reason)).partition_by("shard", maintain_order=True):
            texts = self._corpus.texts(shard["shard"][0])
            for row in shard.iter_rows(named=True):
                yield {**row, "text": texts[row["document"] - row["first"]].as_py()}


def _rule(rules: RuleSet, reason: str) -> AnyRule:
    known = {rule.reason: rule for rule in rules.rules}
    if reason not in known:
        raise ConfigError(f"{rules.name}: {nearest(reason, known, what='reason')}", field="reason")
    return known[reason]


def _accepted(rule: AnyRule, source: str) -> str:
    if not isinstance(rule, Rule):
        assert isinstance(rule, FixedQuantileRule)  # what judged documents part by part
        bound = "at least" if rule.best == "highest" else "at most"
        threshold = rule.thresholds[source if rule.per else ""]
        return f"{bound} {threshold:g}, the best {rule.keep_fraction:.0%} of {source if rule.per else 'all'}"
    parts = []
    if rule.minimum is not None:
        parts.append(f"{'above' if rule.open_minimum else 'at least'} {rule.minimum:g}")
    if rule.maximum is not None:
        parts.append(f"{'below' if rule.open_maximum else 'at most'} {rule.maximum:g}")
    return " and ".join(parts)
