"""Dropped documents again, with what dropped them: a value and the bound it missed, an entry of a list, an item.

Whatever dropped them: a workspace keeps verdicts and signals beside its corpus, `dq filter` and `dq decontaminate` a
folder of dropped documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arguments import path
from dq.corpus.fields import type_of
from dq.errors import ConfigError, InputError, cause_of, nearest
from dq.executors import require_live_polars
from dq.files.own import Names
from dq.inspect.rules import (
    accepted_values,
    benchmarks_of_folder,
    entry_of,
    found_now,
    rules_of_filter,
    rules_of_job,
)
from dq.quality import QuantileRule, RuleSet
from dq.quality.rule_kinds import AnyRule, RuleByLabel
from dq.quality.urls import RULES as URL_REASONS
from dq.quality.urls import UrlRules
from dq.results import Result
from dq.stages.base import View
from dq.stages.benchmarks import REASON
from dq.stages.contamination import Contamination
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.verdicts import Verdicts
from dq.store import Workspace

PIECES = "[0-9]*.parquet"


@dataclass(frozen=True)
class Item(Result):
    """An item of a benchmark that stands in a document, and how much of it."""

    benchmark: str
    item: str
    ngrams: int
    coverage: float


@dataclass(frozen=True, kw_only=True)
class DroppedDocument(Result):
    """One dropped document and why.

    Of a rule over signals: ``signal`` had ``value``, and ``accepted`` says which values are fine. Of a rule about
    addresses: ``entry`` of its list was found in ``address``. Of a benchmark: its ``items`` stand in the text.
    """

    id: str
    source: str
    reason: str
    signal: str | None = None
    value: float | str | None = None
    accepted: str | None = None
    address: str | None = None
    entry: str | None = None
    """None where the lists of a job have changed since, and nothing of them is found now."""
    items: tuple[Item, ...] = ()
    """The most covered first."""
    reasons: tuple[str, ...]
    """All of them."""
    text: str
    file: str | None = None
    """Of a folder of files: the file of the input that it is from."""
    row: int | None = None
    """Its line or row there, from 1."""


def dropped_documents(folder: Path, reason: str, *, limit: int = 10) -> list[DroppedDocument]:
    """The first documents that were dropped for a reason, in the order of the files.

    Args:
        folder: what ``dq filter --dropped`` or ``dq decontaminate --dropped`` wrote, or the workspace of ``dq run``.
        reason: a reason of its rules, or ``contaminated_by_NAME`` of a benchmark.
        limit: at most so many.

    Raises:
        ConfigError: nothing gives this reason; the message names the nearest.
        InputError, WorkspaceError: the folder does not hold dropped documents.
    """
    require_live_polars()
    folder = path(folder, name="folder")
    return list(itertools.islice(_judged(folder).documents(reason), limit))


class _Judged(Protocol):
    """Documents that were judged."""

    def documents(self, reason: str) -> Iterator[DroppedDocument]:
        """Those with a reason, in order."""


def _judged(folder: Path) -> _Judged:
    if Workspace(folder).marker.exists():
        return _InWorkspace(folder)
    if (benchmarks := benchmarks_of_folder(folder)) is not None:
        return _Contaminated(folder, benchmarks)
    return _Filtered(folder)


class _Filtered:
    """What `dq filter` dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rules, self._strict = rules_of_filter(folder)

    def documents(self, reason: str) -> Iterator[DroppedDocument]:
        """Those with a reason, file by file."""
        rule = _rule(self._rules, reason)
        if isinstance(rule, UrlRules):
            for row in _rows(self._folder, reason, values=["entries"], address=rule.field):
                yield _dropped(row, reason, address=row.get("address"), entry=entry_of(reason, row["entries"] or ()))
            return
        names = _names(rule, strict=self._strict)
        for row in _rows(self._folder, reason, values=names):
            yield _measured(row, rule, names[0])


class _Contaminated:
    """What `dq decontaminate` dropped."""

    def __init__(self, folder: Path, benchmarks: Sequence[str]) -> None:
        self._folder, self._benchmarks = folder, benchmarks

    def documents(self, reason: str) -> Iterator[DroppedDocument]:
        """Those in which items of a benchmark stand, file by file."""
        benchmark = _benchmark(reason, self._benchmarks)
        if not any(self._folder.glob(PIECES)):
            raise InputError(f"{self._folder}: holds no documents; give the folder of `dq decontaminate --dropped`")
        for row in _rows(self._folder, reason, values=["items"]):
            yield _dropped(row, reason, items=_items_of(benchmark, row["items"]))


class _InWorkspace:
    """What the rules of `dq run` drop, held-out documents among them, and where items of its benchmarks stand."""

    def __init__(self, folder: Path) -> None:
        self._view = View.of(Workspace(folder))

    def documents(self, reason: str) -> Iterator[DroppedDocument]:
        """Those with a reason, a shard's texts at a time."""
        reasons = self._view.open(Verdicts).table(["reasons"])["reasons"]
        if reason.startswith(REASON) and self._view.workspace.folder("contamination").exists():
            yield from self._contaminated(reason, reasons)
            return
        rules, chosen = rules_of_job(self._view), reasons.list.contains(reason)
        rule = _rule(rules, reason)
        if isinstance(rule, UrlRules):
            for row in self._rows(chosen, {"reasons": reasons}):
                address, entries = found_now(rule, row["meta"])
                yield _dropped(row, reason, address=address, entry=entry_of(reason, entries))
            return
        names = _names(rule, strict=False)
        values = self._view.open(Signals).table(names).to_dict()
        for row in self._rows(chosen, {"reasons": reasons, **values}):
            yield _measured(row, rule, names[0])

    def _contaminated(self, reason: str, reasons: pl.Series) -> Iterator[DroppedDocument]:
        found = self._view.open(Contamination)
        benchmark = _benchmark(reason, found.by_benchmark["benchmark"].to_list())
        matches = found.matches.filter(benchmark=benchmark)
        items = pl.struct("benchmark", "item", "ngrams", "coverage")
        listed = matches.group_by("document").agg(items=items)
        every = pl.DataFrame({"document": pl.int_range(len(reasons), dtype=pl.Int64, eager=True)})
        beside = every.join(listed, on="document", how="left", maintain_order="left")["items"]
        for row in self._rows(beside.is_not_null(), {"reasons": reasons, "items": beside}):
            both = {**row, "reasons": [*row["reasons"], reason]}
            yield _dropped(both, reason, items=_items_of(benchmark, row["items"]))

    def _rows(self, chosen: pl.Series, columns: Mapping[str, pl.Series]) -> Iterator[dict[str, Any]]:
        """The chosen documents with some columns, their texts as judged and their other fields."""
        corpus, read = self._view.open(Documents, "judged"), self._view.open(Documents)
        table = corpus.documents.select("id", "source", "shard").with_row_index("document").with_columns(**columns)
        table = table.with_columns(first=pl.col("document").min().over("shard"))
        for shard in table.filter(chosen).partition_by("shard", maintain_order=True):
            number = shard["shard"][0]
            texts, metas = corpus.texts(number), read.metas(number)
            for row in shard.iter_rows(named=True):
                at = row["document"] - row["first"]
                yield {**row, "text": texts[at].as_py(), "meta": metas[at].as_py()}


def _rows(folder: Path, reason: str, *, values: list[str], address: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of dropped documents with a reason, file by file, with the columns of what was judged."""
    for piece in sorted(folder.glob(PIECES)):
        try:
            names = Names.of_file(piece)
            with pq.ParquetFile(piece, buffer_size=1 << 20) as file:
                if not names.reasons or names.reasons not in file.schema_arrow.names:
                    raise InputError(f"{piece}: holds kept documents; give the folder of those that were dropped")
                columns = names.needed(file.schema_arrow, values)
                if address is not None and type_of(file.schema_arrow, address) is not None:
                    columns = [*dict.fromkeys([*columns, address])]
                for batch in file.iter_batches(batch_size=256, columns=columns):
                    frame = pl.DataFrame(batch)
                    found = names.documents(frame, values=values)
                    if address in columns:
                        found = found.with_columns(address=_text(frame, names.column(address, frame.schema)))
                    yield from found.filter(pl.col("reasons").list.contains(reason)).iter_rows(named=True)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{piece}: cannot be read: {cause_of(error)}; run the command again") from None


def _text(frame: pl.DataFrame, column: pl.Expr) -> pl.Series:
    return frame.select(column.cast(pl.String, strict=False)).to_series()


def _names(rule: AnyRule, *, strict: bool) -> list[str]:
    """What a rule judges, and the label that its bounds go by."""
    names = rule.signals(strict=strict)
    by_label = isinstance(rule, RuleByLabel) or (isinstance(rule, QuantileRule) and rule.by_label)
    return [names[0], names[-1]] if by_label else [names[0]]


def _measured(row: Mapping[str, Any], rule: AnyRule, signal: str) -> DroppedDocument:
    accepted = accepted_values(rule, row["source"], row)
    return _dropped(row, rule.reason, signal=signal, value=row[signal], accepted=accepted)


def _dropped(row: Mapping[str, Any], reason: str, **why: Any) -> DroppedDocument:
    return DroppedDocument(
        id=row["id"],
        source=row["source"],
        reason=reason,
        reasons=tuple(row["reasons"]),
        text=row["text"],
        file=row.get("file"),
        row=row.get("row"),
        **why,
    )


def _items_of(benchmark: str, items: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    """Those of one benchmark."""
    found = [Item(**one) for one in items if one["benchmark"] == benchmark]
    return tuple(sorted(found, key=lambda one: -one.coverage))


def _benchmark(reason: str, known: Sequence[str]) -> str:
    reasons = [REASON + name for name in known]
    if reason not in reasons:
        raise ConfigError(nearest(reason, reasons, what="reason"), field="reason")
    return reason.removeprefix(REASON)


def _rule(rules: RuleSet, reason: str) -> AnyRule | UrlRules:
    """The rule that gives a reason; those about addresses are one."""
    if rules.urls is not None and reason in URL_REASONS:
        return rules.urls
    known = {rule.reason: rule for rule in rules.rules}
    if reason not in known:
        every = [*known, *(URL_REASONS if rules.urls is not None else ())]
        raise ConfigError(f"{rules.name}: {nearest(reason, every, what='reason')}", field="reason")
    return known[reason]
