"""Deduplicate files into files: read, find, select, write what is kept and what each removed document duplicates.

The output folder is a workspace with two results: ``kept/NNNNN.parquet`` (id, source, text, meta, cluster_size) and
``removed.parquet`` (id, source, occurrence, kept_id, kept_occurrence, exact, similarity, intersection, union;
``exact``: the text is that of the kept one; the counts of shared and joint shingles are null where all are equal). Each
step is a stage: finished work is not repeated, a killed job goes on to the same bytes, and a changed input is read
again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dq.arguments import instance, path
from dq.cards import CardConfig, Section, deduplication_section
from dq.corpus import ReadConfig
from dq.corpus.apart import refuse_overlap
from dq.corpus.followed import input_bytes
from dq.corpus.inputs import Entry, find_inputs
from dq.dedup import DedupConfig, DuplicateIndex, Resources
from dq.errors import ConfigError, WorkspaceError
from dq.executors import QUIET, LocalExecutor, Progress, Step, require_live_polars
from dq.files.card import check_card
from dq.files.kept import CARD_HEAD, kept_by_source, removed_with_kept, write_kept
from dq.files.made import Made, made_in
from dq.stages.base import View, unreplaced
from dq.stages.duplicates import FoundDuplicates, disk_errors, find_pairs, shard_readers
from dq.stages.read import Documents, ingest
from dq.stages.selection import DeduplicationConfig, Selected, select_documents
from dq.stages.signals import score_documents
from dq.store import FolderLock, Workspace, local

UNITS = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "PIB": 2**50,
}  # fmt: skip


@dataclass(frozen=True)
class DedupResult(Made):
    """What a deduplication made; ``sources`` has documents, kept, removed, and of these exact_copies and near_copies.

    Attributes:
        shingles: what was compared: normalization, unit, ngram.
        counts: pairs, candidates and other amounts of work.
        indexed: documents in the index afterwards; None without one.
    """

    shingles: dict[str, str | int]
    counts: dict[str, int]
    indexed: int | None


def parse_bytes(text: str, *, field: str = "memory") -> int:
    """``4GB``, ``500MB``, ``2GiB`` or a number of bytes.

    Args:
        text: the amount.
        field: what an error calls it.

    Raises:
        ConfigError: it is none of these.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{text!r} is no amount of bytes; write it as '4GB' or '500MB'", field=field)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?I?B)?\s*", text.upper())
    if found is None or (found[2] or "B") not in UNITS:
        raise ConfigError(f"{text!r} is no amount of bytes; write it as 4GB or 500MB", field=field)
    return int(float(found[1]) * UNITS[found[2] or "B"])


REMOVED = ("id", "source", "occurrence", "kept_id", "kept_occurrence", "exact", "similarity", "intersection", "union")
"""The columns of ``removed.parquet``; an occurrence tells documents of one source and id apart, in reading order."""


def dedup_files(
    inputs: Sequence[Entry],
    out: Path,
    config: DeduplicationConfig | None = None,
    *,
    read: ReadConfig | None = None,
    card: CardConfig | None = None,
    index: Path | None = None,
    overwrite: bool = False,
    resources: Resources | None = None,
    progress: Progress = QUIET,
) -> DedupResult:
    """Deduplicate ``inputs`` into ``out``. The same call goes on after any interruption.

    Args:
        inputs: files, patterns, folders and samples; a text is a path whose fields have their usual names.
        out: a new folder, or one that this function made.
        config: threshold, policy, guard; the defaults without one.
        read: how rows become documents.
        card: licences and languages for the dataset's card of ``kept``; for a finished one it is written anew.
        index: folder of documents kept earlier; these are compared with, always stay, and are joined by what is kept
            now once everything is written.
        overwrite: replace what other inputs or settings have made in ``out``; another threshold, policy or guard makes
            new use of the signatures that are there.
        resources: threads and memory.
        progress: hears of every step.

    Raises:
        DqError: what is wrong with the input, the options, the disk or the folders, on one line.
    """
    require_live_polars()
    config, resources = config or DeduplicationConfig(), resources or Resources()
    instance(config, DeduplicationConfig, name="config", remedy="dq.stages.selection has it")
    instance(resources, Resources, name="resources", remedy="dq.dedup has it")
    check_card(card)
    out, index = path(out, name="out"), None if index is None else local(path(index, name="index"))
    found = find_inputs(inputs)
    refuse_overlap(found, [out, *([] if index is None else [index])])
    view = View(Workspace(out).create("dedup"), replaces=overwrite)
    with view.workspace.lock(), FolderLock(index) if index is not None else nullcontext():
        known = None if index is None else DuplicateIndex(index, config.method)
        with progress.step("read", unit="bytes", total=input_bytes(found)) as step:
            may_replace = None if overwrite else unreplaced
            ingest(Documents.place(view, ""), found, read or ReadConfig(), may_replace=may_replace, step=step)
        documents = view.open(Documents).count
        with progress.step("find duplicates", unit="documents", total=documents) as step:
            find_pairs(view, config.method, resources=resources, index=known, step=step)
        with progress.step("select", unit="documents", total=documents) as step:
            selected = _select(view, config, resources=resources, step=step)
        if known is not None:
            _check_index(known, view, selected)
        with progress.step("write", unit="shards", total=len(view.open(Documents).shards)) as step:
            _write(view, card, threads=resources.threads, step=step)
        if known is not None:
            with progress.step("add to the index"):
                _add_to_index(known, view, selected)
    return _result(view, card, index=known)


def _select(view: View, config: DeduplicationConfig, *, resources: Resources, step: Step) -> Selected:
    if config.signals:
        score_documents(view, config.signals, executor=LocalExecutor(resources.threads))
    uses = ("duplicates", "signals") if config.signals else ("duplicates",)
    everything = np.ones(view.open(Documents).count, np.bool_)
    return select_documents(view, config, eligible=everything, uses=uses, resources=resources, step=step)


def _check_index(index: DuplicateIndex, view: View, selected: Selected) -> None:
    """These very documents may be in the index already, but then the same of them must have been kept."""
    corpus = view.open(Documents)
    there = index.ids_of(corpus.record.fingerprint)
    if there is not None and not there.equals(corpus.documents.select("id", "source").filter(selected.kept)):
        raise WorkspaceError(
            f"{index.folder}: holds these documents as another policy kept them; use that policy, or another index",
            field="index",
        )


def _add_to_index(index: DuplicateIndex, view: View, selected: Selected) -> None:
    corpus = view.open(Documents)
    with disk_errors(index.folder):
        index.add(
            shard_readers(corpus),
            selected.kept,
            ids=corpus.documents.select("id", "source"),
            inputs=corpus.record.fingerprint,
        )


def _write(view: View, card: CardConfig | None, *, threads: int, step: Step) -> None:
    """``kept/``, and ``removed.parquet`` with the ids of kept documents, which may be of the index."""

    def removed() -> pl.DataFrame:
        frozen = view.open(FoundDuplicates).duplicates.frozen
        return removed_with_kept(view.open(Documents), view.open(Selected), frozen["id"]).select(REMOVED)

    def section() -> Section:
        method, policy = view.record(FoundDuplicates).config, view.record(Selected).config["keep"]
        near = f"texts of a verified Jaccard {DedupConfig.model_validate(method).near}"
        return deduplication_section(near, str(policy), head=CARD_HEAD, rows=kept_by_source(view).rows())

    write_kept(view, removed, section, card=card, threads=threads, step=step)


def _result(view: View, card: CardConfig | None, *, index: DuplicateIndex | None) -> DedupResult:
    duplicates = view.open(FoundDuplicates).duplicates
    return DedupResult(
        **made_in(view, kept_by_source(view), card),
        shingles=duplicates.config.model_dump(include={"normalization", "unit", "ngram"}),
        counts=asdict(duplicates.counts),
        indexed=None if index is None else len(index),
    )
