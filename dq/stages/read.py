"""The read stage: inputs to shards of documents; unreadable rows to the quarantine; nothing lost silently.

Shards are cut by rows alone; everything after this runs in parallel over shards.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import pyarrow as pa

from dq.corpus.batches import gathered
from dq.corpus.config import ReadConfig
from dq.corpus.corpus import Corpus, repeated
from dq.corpus.followed import followed, in_order, input_bytes
from dq.corpus.inputs import Entry, Inputs, find_inputs, input_identity
from dq.corpus.quarantine import QUARANTINE, RowCounts, quarantine, row_warnings, shared_ids
from dq.errors import WorkspaceError
from dq.executors import QUIET, Executor, LocalExecutor, Step
from dq.stages.base import Need, Output, View
from dq.stages.read_tasks import WORK, read_by_tasks
from dq.stages.shards import SHARD_TEXT_BYTES, check_shards, with_sizes, write_shard
from dq.store import Stage, check_files, read_parquet, read_record

STAGE_VERSION = 4
TOLD_APART = "their occurrence, in reading order, tells them apart"
MAX_REPEATED_SOURCES = 20  # that a record names
WRITERS = 2
MANY_WORKERS, MANY_BYTES = 4, 1_000_000_000  # from which reading by tasks, which writes twice, pays here too


def _stage(folder: Path, inputs: Sequence[Entry] | Inputs, config: ReadConfig) -> tuple[Stage, Inputs]:
    """The read stage's identity: the contents of its inputs, their field names, and its configuration."""
    found = find_inputs(inputs)
    identity = {"config": config, "inputs": input_identity(found.files)}
    return Stage("read", STAGE_VERSION, folder, config=identity), found


def read_stage(folder: Path, inputs: Sequence[Entry], config: ReadConfig) -> Stage:
    """The stage that reads inputs into a folder, to ask whether it is done."""
    return _stage(folder, inputs, config)[0]


class Documents(Corpus, Output):
    """A text version of the corpus: as it was read, or as cleaners made it."""

    made_by: ClassVar = {"read": STAGE_VERSION, "clean": 1}

    @classmethod
    def place(cls, view: View, of: str, /) -> Path:
        """``corpus/<version>``."""
        return view.workspace.corpus(view.texts.version(of))

    @classmethod
    def need(cls, name: str, config: Any) -> Need:
        """A cleaned version is made from another version."""
        return {"corpus": Need(Documents, config["of"])}[name]


class NeutralDocuments(Documents):
    """The documents of a neutral held-out set, by its name."""

    @classmethod
    def place(cls, view: View, of: str, /) -> Path:
        """``neutral/<name>``."""
        return view.workspace.neutral(of)


class WantedDocuments(Documents):
    """Examples that teach a classifier."""

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``learned/wanted``."""
        return view.workspace.learned() / "wanted"


def ingest(
    folder: Path,
    inputs: Sequence[Entry] | Inputs,
    config: ReadConfig,
    *,
    may_replace: Callable[[Stage], object] | None = None,
    executor: Executor | None = None,
    step: Step = QUIET,
) -> Corpus:
    """Read inputs into ``folder``, or find that it has been done. The step counts bytes of files.

    One process reads in order; a cluster, or many workers, read pieces at a time. Both leave the same bytes.

    Args:
        folder: of the corpus.
        inputs: files, patterns, folders and samples, or what they were found to be.
        config: how rows become documents.
        may_replace: raises where a corpus that is there must stay: `unreplaced`, `keep_input`.
        executor: who may read; default this process.
        step: told of bytes.

    Raises:
        WorkspaceError: a corpus of other inputs is there and is not to be replaced.
        InputError: a file fault, or more than ``max_bad_fraction`` unreadable rows.
    """
    stage, found = _stage(folder, inputs, config)
    if may_replace is not None:
        may_replace(stage)
    if (record := stage.done()) is not None:
        check_files(folder, record)
    else:
        stage.start()
        if executor is not None and reads_by_tasks(executor, input_bytes(found)):
            counts = read_by_tasks(folder, found, config, executor=executor, step=step)
        else:
            counts = _write_shards(folder, found, config, step=step)
        stage.commit(_summary(folder, counts))
    return Corpus(folder)


def keep_input(stage: Stage) -> None:
    """Refuse to read a corpus anew where a file that it was read from is not in the input any more.

    The corpus may be the only copy of it, and everything behind it would be replaced. More files, other fields and
    other limits are edits of the same job.

    Raises:
        WorkspaceError: which file.
    """
    if stage.done() is not None or not (stage.folder / "stage.json").exists():
        return
    before, now = _contents(read_record(stage.folder).config), _contents(stage.config)
    if gone := [name for content, name in before.items() if content not in now]:
        more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
        raise WorkspaceError(
            f"{stage.folder}: was read from {gone[0]}{more}, which as it was is not in this input; it and all that "
            "was made of it would be replaced: name another workspace, or replace it: `overwrite`",
            field="overwrite",
        )


def _contents(config: Any) -> dict[str, str]:
    """The names of the files that a corpus was read from, by the SHA-256 of what they held."""
    try:
        return {str(content): str(name) for name, content, *_ in config["inputs"]}
    except (KeyError, TypeError, ValueError):  # of a version that wrote it otherwise
        return {}


def reads_by_tasks(executor: Executor, n_bytes: int) -> bool:
    """Whether pieces of an input are read at a time: on a cluster, and here where there is enough to share."""
    return not isinstance(executor, LocalExecutor) or (executor.workers >= MANY_WORKERS and n_bytes >= MANY_BYTES)


def _write_shards(folder: Path, found: Inputs, config: ReadConfig, *, step: Step) -> RowCounts:
    shutil.rmtree(folder / WORK, ignore_errors=True)  # of tasks that were killed
    counts = RowCounts(left_out=found.left_out)
    with quarantine(folder / QUARANTINE, counts) as take, _ShardWriter(folder, config.shard_rows) as shard:
        batches = followed(in_order(found.files), step, max_document_bytes=config.max_document_bytes)
        for _, batch in gathered(batches):
            take(batch)
            shard.add(batch.documents)
    counts.check(config, listed_in=folder / QUARANTINE, text_field=found.files[0].spec.text_field)
    return counts


class _ShardWriter:
    """Collects documents and writes a shard when it is full by rows, or by bytes on hostile input.

    Where shards are cut depends on the documents alone, never on how they came in batches. Threads compress shards and
    flush them to disk while the next is read; no more text waits for them than one shard may hold.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder, self._rows, self._number = folder, rows, 0
        self._threads = ThreadPoolExecutor(WRITERS)
        self._writing: deque[tuple[int, Future[None]]] = deque()  # bytes of text, and what ends when they are on disk
        self._start()

    def _start(self) -> None:
        self._tables: list[pa.Table] = []
        self._held_rows = self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the threads, and write the last shard unless reading failed."""
        with self._threads:
            if error[0] is None:
                if self._held_rows:
                    self._flush()
                self._wait(-1)

    def add(self, documents: pa.Table) -> None:
        """Take documents, in order."""
        table = with_sizes(documents)
        while len(table):
            held = self._held_bytes + np.cumsum(pl.Series(table.column("n_bytes")).to_numpy())
            by_bytes = int(np.searchsorted(held, SHARD_TEXT_BYTES)) + 1  # the document that fills it is its last
            taken = min(len(table), self._rows - self._held_rows, by_bytes)
            self._tables.append(table.slice(0, taken))
            self._held_rows += taken
            self._held_bytes = int(held[taken - 1])
            table = table.slice(taken)
            if self._held_rows == self._rows or self._held_bytes >= SHARD_TEXT_BYTES:
                self._flush()

    def _flush(self) -> None:
        self._wait(SHARD_TEXT_BYTES - self._held_bytes)
        check_shards(self._number + 1)
        writing = self._threads.submit(write_shard, self._folder, self._number, pa.concat_tables(self._tables))
        self._writing.append((self._held_bytes, writing))
        self._number += 1
        self._start()

    def _wait(self, max_bytes: int) -> None:
        """Until fewer shards than writers, of at most ``max_bytes`` of text, are being written; below 0: until none."""
        while self._writing and (len(self._writing) >= WRITERS or sum(size for size, _ in self._writing) > max_bytes):
            self._writing.popleft()[1].result()


def _summary(folder: Path, counts: RowCounts) -> dict[str, Any]:
    shards = (read_parquet(path, columns=["source", "n_bytes"]) for path in sorted(folder.glob("[0-9]*.parquet")))
    each = (shard.group_by("source").agg(pl.len().alias("documents"), pl.col("n_bytes").sum()) for shard in shards)
    by_source = pl.concat(each).group_by("source").agg(pl.col("documents", "n_bytes").sum()).sort("source")
    return {
        "rows": counts.rows,
        "documents": int(by_source["documents"].sum()),
        "quarantined": dict(sorted(counts.quarantined.items())),
        "replaced_surrogates": counts.replaced_surrogates,
        "empty_files": counts.empty_files,
        "repeated_ids": _repeated_ids(folder),
        "left_out": list(counts.left_out),
        **({"passed_over": dict(sorted(counts.passed_over.items()))} if counts.passed_over else {}),
        "sources": {
            row["source"]: {"documents": row["documents"], "bytes": row["n_bytes"]} for row in by_source.to_dicts()
        },
    }


def _repeated_ids(folder: Path) -> list[dict[str, Any]]:
    """The sources in which documents share an id, those with most first: how many do, and one such id."""
    paths, names = sorted(folder.glob("[0-9]*.parquet")), ["source", "id"]
    hashes = [read_parquet(path, columns=names).hash_rows() for path in paths]
    twice = pl.Series(repeated(np.concatenate(hashes))).implode()  # few: ids of all would take much memory
    shards = [
        read_parquet(path, columns=names).filter(mine.is_in(twice)) for path, mine in zip(paths, hashes, strict=True)
    ]
    shared = pl.concat(shards).group_by("source", "id").len().filter(pl.col("len") > 1)
    by_source = shared.group_by("source").agg(
        pl.col("len").sum().cast(pl.Int64).alias("documents"),
        pl.col("id").sort_by(-pl.col("len").cast(pl.Int64), "id").first().alias("example"),
    )
    return by_source.sort(-pl.col("documents"), "source").head(MAX_REPEATED_SOURCES).to_dicts()


def reading_warnings(summary: Mapping[str, Any]) -> list[str]:
    """What the user should know of how the rows were read, of the record's summary."""
    found = row_warnings(
        summary["empty_files"],
        summary["replaced_surrogates"],
        summary.get("left_out", ()),
        passed_over=summary.get("passed_over"),
    )
    if repeated := summary.get("repeated_ids"):
        count, first = sum(one["documents"] for one in repeated), repeated[0]
        found.append(f"{shared_ids(count, first['source'], first['example'])}; {TOLD_APART}")
    return found
