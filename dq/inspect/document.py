"""One document's whole history: how it was judged, what it duplicates, what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dq.arguments import path
from dq.errors import ConfigError
from dq.executors import require_live_polars
from dq.files.own import Names
from dq.inspect.rules import accepted_values, entry_of, found_now, rules_of_filter, rules_of_job
from dq.quality import RuleSet
from dq.quality.urls import RULES as URL_REASONS
from dq.quality.urls import UrlRules
from dq.results import Result
from dq.stages.base import View
from dq.stages.contamination import MEASURE
from dq.stages.duplicates import FoundDuplicates
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import Workspace

MAX_NEIGHBOURS = 10


@dataclass(frozen=True)
class Failing(Result):
    """A rule that the document fails: ``signal`` has ``value``, and ``accepted`` says which values are fine.

    Of a rule about addresses, ``entry`` of its list is in ``address``.
    """

    reason: str
    signal: str | None = None
    value: float | str | None = None
    accepted: str | None = None
    address: str | None = None
    entry: str | None = None


@dataclass(frozen=True)
class Neighbour(Result):
    """A document whose similarity to this one was verified."""

    id: str
    source: str
    similarity: float
    kept: bool
    exact: bool
    """Their texts are equal but for white space and zero-width marks."""


@dataclass(frozen=True)
class DocumentHistory(Result):
    """What was done to a document; what a command does not do is None or empty."""

    id: str
    source: str
    fate: str
    """``held_out``, ``excluded``, ``dropped``, ``removed`` or ``kept``."""
    text: str
    """As it was read; as it was judged, in a folder of `dq filter`."""
    failing: tuple[Failing, ...] = ()
    """Every rule that it fails."""
    signals: Mapping[str, float | None] | None = None
    """What was measured."""
    duplicate_of: Neighbour | None = None
    """The kept document for which it was removed."""
    neighbours: tuple[Neighbour, ...] = ()
    """Its verified pairs, the most similar first, at most ten."""
    near_heldout: str | None = None
    """The held-out document that it is too near to."""
    holds_item: str | None = None
    """The item of a benchmark that stands in it the most, where it is excluded for that."""
    tokens: int | None = None
    """Of its trained version, with BOS."""
    version_bytes: Mapping[str, int] | None = None
    """Bytes of every text version, by name."""


def document_history(folder: Path, document_id: str) -> list[DocumentHistory]:
    """The history of every document with an id; ids are the user's and may repeat.

    Args:
        folder: a workspace of `dq run` or `dq dedup`, or a folder of `dq filter`.
        document_id: as in the input, or as dq made it of file and row.

    Raises:
        ConfigError: no document has it.
        WorkspaceError: no command of dq wrote the folder, or it has not finished.
    """
    require_live_polars()
    folder = path(folder, name="folder")
    histories = _in_workspace if Workspace(folder).marker.exists() else _in_filtered
    if found := list(histories(folder, document_id)):
        return found
    raise ConfigError(f"{folder}: no document has the id {document_id!r}")


def _in_filtered(folder: Path, document_id: str) -> Iterator[DocumentHistory]:
    rules, strict = rules_of_filter(folder)
    files = sorted(folder.glob("[0-9]*.parquet"))
    signals = [*dict.fromkeys((*(rule.signals(strict=strict)[0] for rule in rules.rules), *rules.labels))]
    for row in (row for file in files for row in _rows_of(file, document_id, [*signals, "entries"])):
        reasons = row.get("reasons")
        known = {name: row[name] for name in signals if name in row}
        entries = [] if rules.urls is None else row.get("entries") or []
        yield DocumentHistory(
            id=row["id"],
            source=row["source"],
            fate="kept" if reasons is None else "dropped",
            text=row["text"],
            failing=(
                *_failing(rules, reasons or (), known, source=row["source"], strict=strict),
                *(Failing(reason, entry=entry) for reason, _, entry in (one.partition(": ") for one in entries)),
            ),
            signals=known or None,
        )


def _rows_of(path: Path, document_id: str, signals: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a file of `dq filter` that have an id, under the usual names."""
    names = Names.of_file(path)
    with pq.ParquetFile(path) as file:
        frame = pl.DataFrame(file.read(columns=names.needed(file.schema_arrow, signals)))
    return names.documents(frame, values=signals).filter(pl.col("id") == document_id).to_dicts()


def _failing(
    rules: RuleSet, reasons: Sequence[str], values: Mapping[str, Any], *, source: str, strict: bool
) -> tuple[Failing, ...]:
    return tuple(
        Failing(rule.reason, name, values.get(name), accepted_values(rule, source, values))
        for rule in rules.rules
        if rule.reason in reasons and (name := rule.signals(strict=strict)[0])
    )


def _in_workspace(folder: Path, document_id: str) -> Iterator[DocumentHistory]:
    view = View.of(Workspace(folder))
    documents = view.open(Documents).documents.with_row_index("document")
    for row in documents.filter(id=document_id).iter_rows(named=True):
        number = int(row["document"])
        known = _judged(view, number, row["source"]) if view.workspace.fates().exists() else {}
        duplicate_of, neighbours = _duplicates(view, number)
        fate = known.pop("fate", "kept" if duplicate_of is None else "removed")
        yield DocumentHistory(
            id=row["id"],
            source=row["source"],
            fate=fate,
            text=view.open(Documents).text_of(number),
            duplicate_of=duplicate_of,
            neighbours=neighbours,
            **known,
        )


def _judged(view: View, number: int, source: str) -> dict[str, Any]:
    """What only a job does."""
    signals = view.open(Signals).table().drop("id").row(number, named=True)
    rules, reasons = rules_of_job(view), view.open(Verdicts).table(["reasons"])["reasons"][number].to_list()
    near = view.open(Heldout).exclusions.filter(document=number)
    versions = {path.name for path in view.workspace.corpus("original").parent.iterdir()}
    return {
        "fate": view.open(Fates).fate[number],
        "failing": (
            *_failing(rules, reasons, signals, source=source, strict=False),
            *_failing_urls(view, number, rules.urls, reasons=reasons),
        ),
        "signals": signals,
        **({} if near.is_empty() else _named(near.row(0, named=True))),
        "tokens": int(view.open(TokenPool).lengths[number]),
        "version_bytes": {
            name: int(view.open(Documents, name).documents["n_bytes"][number]) for name in sorted(versions)
        },
    }


def _failing_urls(view: View, number: int, urls: UrlRules | None, *, reasons: Sequence[str]) -> Iterator[Failing]:
    """What rules about addresses find now: verdicts of a job keep their names alone."""
    if urls is None or not (of_urls := [one for one in reasons if one in URL_REASONS]):
        return
    address, entries = found_now(urls, view.open(Documents).meta_of(number))
    for reason in of_urls:
        yield Failing(reason, address=address, entry=entry_of(reason, entries))


def _named(near: Mapping[str, Any]) -> dict[str, str]:
    """What it is too near to: an item of a benchmark, or a held-out document."""
    if near["measure"].startswith(MEASURE):
        return {"holds_item": f"{near['heldout_id']} of benchmark {near['set']}: {near['score']:.0%} of its n-grams"}
    return {"near_heldout": f"{near['heldout_id']} of set {near['set']}: {near['measure']} {near['score']:.3f}"}


def _duplicates(view: View, number: int) -> tuple[Neighbour | None, tuple[Neighbour, ...]]:
    """The kept document that it duplicates, and the verified pairs that it is in."""
    if view.open(Selected).by_meaning:
        return _same_meaning(view, number), ()
    corpus, duplicates = view.open(Documents, "deduplicated").documents, view.open(FoundDuplicates).duplicates
    ids = pl.concat([corpus.select("id", "source"), duplicates.frozen.select("id", "source")])
    table = view.open(Selected).table()

    def neighbour(other: int, similarity: float) -> Neighbour:
        name, source = ids.row(other)
        exact = bool(duplicates.first_text[other] == duplicates.first_text[number])
        return Neighbour(name, source, similarity, bool(other >= len(corpus) or table["kept"][other]), exact)

    row = table.row(number, named=True)
    removed = row["kept_document"] is not None and not row["kept"]
    pairs = duplicates.pairs.filter((pl.col("left") == number) | (pl.col("right") == number))
    near = pairs.sort("similarity", descending=True).head(MAX_NEIGHBOURS).iter_rows(named=True)
    return (
        neighbour(row["kept_document"], row["similarity"]) if removed else None,
        tuple(neighbour(pair["left"] + pair["right"] - number, pair["similarity"]) for pair in near),
    )


def _same_meaning(view: View, number: int) -> Neighbour | None:
    """The kept document to whose vector that of this one is the nearest, if it was removed for it."""
    row = view.open(Selected).table().row(number, named=True)
    if row["kept"]:
        return None
    name, source = view.open(Documents).documents.select("id", "source").row(row["kept_document"])
    return Neighbour(name, source, row["similarity"], True, row["exact"])
