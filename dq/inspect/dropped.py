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
import pyarrow.parquet as pq

from dq.errors import ConfigError, InputError, cause_of, nearest
from dq.executors import require_live_polars
from dq.files.own import Names
from dq.inspect.rules import accepted_values, rules_of_filter, rules_of_job
from dq.quality import RuleSet
from dq.quality.rules import AnyRule
from dq.results import Result
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.verdicts import Verdicts
from dq.store import Workspace


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
    file: str | None = None
    """Of a folder of `dq filter`: the file of the input that it is from."""
    row: int | None = None
    """Its line or row there, from 1."""


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
    require_live_polars()
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
            accepted=accepted_values(rule, row["source"]),
            reasons=tuple(row["reasons"]),
            text=row["text"],
            file=row.get("file"),
            row=row.get("row"),
        )
        for row in itertools.islice(judged.rows(reason, signal), limit)
    ]


class _Judged(Protocol):
    """Documents that rules have judged."""

    rules: RuleSet
    strict: bool

    def rows(self, reason: str, signal: str) -> Iterator[dict[str, Any]]:
        """Those with a reason, in order: id, source, text, reasons, the signal's value; file and row where known."""


class _InFolder:
    """What `dq filter` dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.rules, self.strict = rules_of_filter(folder)

    def rows(self, reason: str, signal: str) -> Iterator[dict[str, Any]]:
        """Those with a reason, file by file."""
        for path in sorted(self._folder.glob("[0-9]*.parquet")):
            try:
                names = Names.of_file(path)
                with pq.ParquetFile(path, buffer_size=1 << 20) as file:
                    if not names.reasons or names.reasons not in file.schema_arrow.names:
                        raise InputError(f"{path}: holds kept documents; give the folder of `dq filter --dropped`")
                    for batch in file.iter_batches(batch_size=256, columns=names.needed(file.schema_arrow, [signal])):
                        found = names.documents(pl.DataFrame(batch), values=[signal])
                        yield from found.filter(pl.col("reasons").list.contains(reason)).iter_rows(named=True)
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"{path}: cannot be read: {cause_of(error)}; run the filter again") from None


class _InWorkspace:
    """What the rules of `dq run` drop, held-out documents among them."""

    def __init__(self, folder: Path) -> None:
        view = View.of(Workspace(folder))
        self._corpus, self._verdicts = view.open(Documents, "judged"), view.open(Verdicts)
        self._signals = view.open(Signals)
        self.rules, self.strict = rules_of_job(view), False

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
