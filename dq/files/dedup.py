"""Deduplicate files into files: read, find, select, write what is kept and what each removed document duplicates.

The output folder is a workspace with two results: ``kept/NNNNN.parquet`` (id, source, text, meta, cluster_size) and
``removed.parquet`` (id, source, kept_id, similarity, intersection, union; the counts of shared and joint shingles are
null for exact copies, whose shingles are equal). Each step is a stage: finished work is not repeated, a killed job goes
on to the same bytes, and a changed input is read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.dedup import DuplicateIndex, Duplicates, Resources
from dq.errors import ConfigError, WorkspaceError
from dq.executors import run_in_threads
from dq.stages.read import ingest
from dq.stages.selection import DeduplicationConfig, disk_errors, find_stage, select_stage, shard_readers
from dq.stages.signals import score_corpus
from dq.store import FolderLock, Stage, Workspace, read_record, write_parquet, write_table
from dq.variants import VERSION

__all__ = ["VERSION", "DedupResult", "dedup_files", "parse_bytes"]

KEPT_VERSION = 1
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class DedupResult:
    """What a deduplication made.

    Attributes:
        workspace: the output folder.
        sources: DataFrame source, documents, kept, removed, exact_copies (of the removed).
        counts: pairs, candidates and other amounts of work.
        quarantined: unreadable rows.
        indexed: documents in the index afterwards; None without one.
        warnings: what the user should know.
    """

    workspace: Workspace
    sources: pl.DataFrame
    counts: dict[str, int]
    quarantined: int
    indexed: int | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for machines."""
        return {
            "workspace": str(self.workspace.root),
            "sources": self.sources.to_dicts(),
            "documents": int(self.sources["documents"].sum()),
            "kept": int(self.sources["kept"].sum()),
            "removed": int(self.sources["removed"].sum()),
            "counts": self.counts,
            "quarantined": self.quarantined,
            "indexed": self.indexed,
            "warnings": list(self.warnings),
        }


def parse_bytes(text: str) -> int:
    """``4GB``, ``500MB``, ``2GiB`` or a number of bytes.

    Raises:
        ConfigError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B)?\s*", text.upper())
    if found is None or (found[2] or "B") not in UNITS:
        raise ConfigError(f"--memory: {text!r} is no amount of memory; write it as 4GB or 500MB")
    return int(float(found[1]) * UNITS[found[2] or "B"])


def dedup_files(
    inputs: Sequence[InputSpec],
    out: Path,
    config: DeduplicationConfig,
    *,
    read: ReadConfig | None = None,
    index: Path | None = None,
    resources: Resources | None = None,
    on_progress: Progress | None = None,
) -> DedupResult:
    """Deduplicate ``inputs`` into ``out``. The same call goes on after any interruption.

    Args:
        inputs: files and how their fields are named.
        out: a new folder, or one that this function made.
        config: threshold, policy, guard.
        read: how rows become documents.
        index: folder of documents kept earlier; these are compared with, always stay, and are joined by what is kept
            now once everything is written.
        resources: processes and memory.
        on_progress: called with the name of the step that begins.

    Raises:
        DqError: what is wrong with the input, the options, the disk or the folders, on one line.
    """
    say, resources = on_progress or (lambda _message: None), resources or Resources()
    workspace = Workspace(out).create()
    if workspace.heldout().exists():
        raise WorkspaceError(f"{out}: a workspace of `dq run`; name another folder for the deduplicated files")
    with workspace.lock(), FolderLock(index) if index is not None else nullcontext():
        known = None if index is None else DuplicateIndex(index, config.method)
        say("read")
        corpus = ingest(
            workspace.corpus(VERSION),
            inputs,
            read or ReadConfig(),
            on_progress=lambda name, rows: say(f"read: {name}, {rows:,} rows"),
        )
        say("find duplicates")
        duplicates = find_stage(workspace.duplicates(VERSION), corpus, config.method, resources=resources, index=known)
        say("select")
        _select(workspace, corpus, duplicates, config=config, workers=resources.workers)
        if known is not None:
            _check_index(known, workspace, corpus)
        say("write")
        _write(workspace, corpus, duplicates, workers=resources.workers)
        if known is not None:
            say("add to the index")
            _add_to_index(known, workspace, corpus)
    return _result(workspace, corpus, duplicates, index=known)


def _select(
    workspace: Workspace, corpus: Corpus, duplicates: Duplicates, *, config: DeduplicationConfig, workers: int
) -> None:
    inputs = {"duplicates": read_record(workspace.duplicates(VERSION)).fingerprint}
    signals = workspace.signals(VERSION)
    if config.signals:
        inputs["signals"] = score_corpus(signals, corpus, config.signals, workers=workers).fingerprint
    select_stage(
        workspace.selection(VERSION),
        corpus,
        duplicates,
        config=config,
        eligible=np.ones(len(corpus.documents), np.bool_),
        inputs=inputs,
        signals=signals,
        flag="--allow-removal",
    )


def _selected(workspace: Workspace) -> pl.DataFrame:
    return pl.read_parquet(workspace.selection(VERSION) / "selection.parquet")


def _check_index(index: DuplicateIndex, workspace: Workspace, corpus: Corpus) -> None:
    """These very documents may be in the index already, but then the same of them must have been kept."""
    there = index.ids_of(corpus.record.fingerprint)
    if there is not None and not there.equals(_kept_ids(workspace, corpus)):
        raise WorkspaceError(
            f"{index.folder}: holds these documents as another policy kept them; use that policy, or another --index"
        )


def _kept_ids(workspace: Workspace, corpus: Corpus) -> pl.DataFrame:
    return corpus.documents.select("id", "source").filter(_selected(workspace)["kept"])


def _add_to_index(index: DuplicateIndex, workspace: Workspace, corpus: Corpus) -> None:
    with disk_errors(index.folder):
        index.add(
            shard_readers(corpus),
            _selected(workspace)["kept"].to_numpy(),
            ids=corpus.documents.select("id", "source"),
            inputs=corpus.record.fingerprint,
        )


@dataclass(frozen=True)
class _WriteTask:
    shard: Path
    selection: Path
    first: int
    output: Path


def _write(workspace: Workspace, corpus: Corpus, duplicates: Duplicates, *, workers: int) -> None:
    """``kept/`` and ``removed.parquet``, which belongs to the same stage."""
    folder, removed = workspace.kept(), workspace.removed()
    inputs = {
        "corpus": corpus.record.fingerprint,
        "selection": read_record(workspace.selection(VERSION)).fingerprint,
    }
    stage = Stage("kept", KEPT_VERSION, folder, inputs=inputs)
    if stage.done() is not None and removed.exists():
        return
    stage.start()
    removed.unlink(missing_ok=True)
    sizes = np.bincount(corpus.documents["shard"].to_numpy(), minlength=len(corpus.shards))
    firsts = np.cumsum(sizes) - sizes
    selection = workspace.selection(VERSION) / "selection.parquet"
    tasks = [
        _WriteTask(path, selection, int(first), folder / path.name)
        for path, first in zip(corpus.shards, firsts, strict=True)
    ]
    with disk_errors(folder):
        # Arrow lets go of the interpreter; processes would start for longer.
        run_in_threads(_write_shard, tasks, threads=workers)
        table = _removed(corpus, duplicates, _selected(workspace))
        write_parquet(removed, table)
    stage.commit({"kept": len(corpus.documents) - len(table), "removed": len(table)})


def _write_shard(task: _WriteTask) -> None:
    if task.output.exists():
        return
    with pq.ParquetFile(task.shard) as file:
        shard = file.read(columns=["id", "source", "text", "meta"])
    chosen = pl.scan_parquet(task.selection).select("kept", "cluster_size").slice(task.first, len(shard)).collect()
    shard = shard.append_column("cluster_size", chosen["cluster_size"].to_arrow())
    write_table(task.output, shard.filter(chosen["kept"].to_arrow()), repeated=["source"])


def _removed(corpus: Corpus, duplicates: Duplicates, selection: pl.DataFrame) -> pl.DataFrame:
    """One row a removed document, with the id of the kept one, which may be of the index."""
    ids = pl.concat([corpus.documents["id"], duplicates.frozen["id"]])
    table = corpus.documents.select("id", "source").hstack(selection).filter(~pl.col("kept"))
    kept_id = ids.gather(table["kept_document"]).alias("kept_id")
    return table.with_columns(kept_id).select("id", "source", "kept_id", "similarity", "intersection", "union")


def _result(
    workspace: Workspace, corpus: Corpus, duplicates: Duplicates, *, index: DuplicateIndex | None
) -> DedupResult:
    frame = corpus.documents.select("source").hstack(_selected(workspace))
    sources = (
        frame.group_by("source")
        .agg(
            pl.len().cast(pl.Int64).alias("documents"),
            pl.col("kept").sum().cast(pl.Int64),
            (~pl.col("kept")).sum().cast(pl.Int64).alias("removed"),
            (~pl.col("kept") & pl.col("union").is_null()).sum().cast(pl.Int64).alias("exact_copies"),
        )
        .sort("source")
    )
    summary = corpus.record.summary
    warnings = [f"{name}: empty file" for name in summary["empty_files"]]
    if summary["replaced_surrogates"]:
        warnings.append(f"{summary['replaced_surrogates']:,} rows held lone surrogates; they became U+FFFD")
    return DedupResult(
        workspace=workspace,
        sources=sources,
        counts=asdict(duplicates.counts),
        quarantined=sum(summary["quarantined"].values()),
        indexed=None if index is None else len(index),
        warnings=tuple(warnings),
    )
