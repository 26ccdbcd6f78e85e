"""Dropped documents again: those that a rule dropped, with the value it judged and the bound that the value missed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dq.errors import ConfigError, InputError, WorkspaceError
from dq.files.tables import RECORD
from dq.quality import FixedQuantileRule, Rule, RuleSet
from dq.quality.rules import AnyRule
from dq.store.files import read_json

__all__ = ["DroppedDocument", "dropped_documents"]


@dataclass(frozen=True)
class DroppedDocument:
    """One dropped document and why: ``signal`` had ``value``, and ``accepted`` says which values are fine."""

    id: str
    source: str
    reason: str
    signal: str
    value: float | None
    accepted: str
    reasons: tuple[str, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return {**asdict(self), "reasons": list(self.reasons)}


def dropped_documents(folder: Path, reason: str, *, limit: int = 10) -> list[DroppedDocument]:
    """The first documents that a rule dropped, in the order of the files.

    Args:
        folder: what ``dq filter --dropped`` wrote.
        reason: a reason of its rules.
        limit: at most so many.

    Raises:
        ConfigError: no rule gives this reason; the message names the nearest.
        InputError, WorkspaceError: the folder does not hold dropped documents.
    """
    if not (folder / RECORD).exists():
        raise WorkspaceError(f"{folder}: no {RECORD} in it; give the folder that `dq filter --dropped` wrote")
    record = read_json(folder / RECORD)
    rules, strict = RuleSet.model_validate_json(json.dumps(record["rule_set"])), bool(record["strict"])
    rule = _rule(rules, reason)
    signal = rule.signals(strict=strict)[0]
    found: list[DroppedDocument] = []
    for row in _rows(folder, reason, ["id", "source", "text", "reasons", signal]):
        if len(found) == limit:
            break
        found.append(
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
        )
    return found


def _rule(rules: RuleSet, reason: str) -> AnyRule:
    known = {rule.reason: rule for rule in rules.rules}
    if reason not in known:
        nearest = difflib.get_close_matches(reason, known, n=1, cutoff=0.0)
        raise ConfigError(f"no rule of {rules.name} gives the reason `{reason}`; did you mean `{nearest[0]}`?")
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


def _rows(folder: Path, reason: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    paths = sorted(folder.glob("[0-9]*.parquet"))
    for path in paths:
        try:
            with pq.ParquetFile(path, buffer_size=1 << 20) as file:
                if "reasons" not in file.schema_arrow.names:
                    raise InputError(f"{path}: holds kept documents; give the folder of `dq filter --dropped`")
                for batch in file.iter_batches(batch_size=256, columns=columns):
                    yield from _with_reason(batch, reason)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())}; run the filter again") from None


def _with_reason(batch: pa.RecordBatch, reason: str) -> list[dict[str, Any]]:
    reasons = batch.column("reasons")
    hits = pc.equal(reasons.flatten(), reason)
    rows = pc.list_parent_indices(reasons).filter(hits)
    return list(batch.take(rows).to_pylist())
