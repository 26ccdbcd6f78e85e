"""The read stage: inputs to shards of documents; unreadable rows to the quarantine; nothing lost silently.

One process reads in order, so that shards are cut by rows alone; everything after it runs in parallel over shards.
"""

from __future__ import annotations

import glob
import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dq.corpus.config import InputSpec, ReadConfig
from dq.corpus.corpus import Corpus
from dq.corpus.documents import Batch, Origin, batches_of_rows, quarantine_line
from dq.corpus.formats.base import read_batches
from dq.corpus.samples import SAMPLES, sample_rows
from dq.errors import InputError
from dq.executors import QUIET, Step
from dq.stages.base import Output, View
from dq.store import Stage, file_sha256, write_bytes_atomic, write_table
from dq.text.hashing import content_keys

__all__ = ["Documents", "NeutralDocuments", "WantedDocuments", "ingest", "reading_warnings"]

STAGE_VERSION = 3
SHARD_TEXT_BYTES = 256_000_000
WRITERS = 2


@dataclass(frozen=True)
class _Origin:
    """One input file or sample: where rows come from and how their fields are named."""

    name: str
    spec: InputSpec
    path: Path | None
    sha256: str


@dataclass
class _Counts:
    """What happened to rows; goes into the stage's record."""

    rows: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    replaced_surrogates: int = 0
    empty_files: list[str] = field(default_factory=list)


def origins(inputs: Sequence[InputSpec]) -> list[_Origin]:
    """Every file and sample of the inputs, sorted by name within a pattern.

    Raises:
        InputError: a pattern matches nothing.
    """
    found: list[_Origin] = []
    for spec in inputs:
        if spec.sample is not None:
            found.append(_Origin(spec.sample, spec, None, SAMPLES[spec.sample].sha256))
            continue
        assert spec.path is not None
        found += [_Origin(path.as_posix(), spec, path, _sha256(path)) for path in input_files(spec.path)]
    return found


def input_files(pattern: str) -> list[Path]:
    """The files of a pattern; a path that exists is itself, whatever brackets it holds."""
    if Path(pattern).is_dir():
        raise InputError(f"{pattern}: a folder; name its files in `input:`, as in {Path(pattern) / '*.jsonl'}")
    names = [pattern] if os.path.lexists(pattern) else glob.glob(pattern, recursive=True)  # noqa: PTH207
    files = sorted(path for path in map(Path, names) if not path.is_dir())
    if not files:
        raise InputError(f"{pattern}: no such file; check `input:` (paths are relative to the current folder)")
    return files


def _sha256(path: Path) -> str:
    name = path.as_posix()
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in name):
        raise InputError(f"{name!r}: a file's name must be UTF-8 on one line, ids are made from it; rename the file")
    try:
        if not path.exists() or path.is_file():
            return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; repair it, or take it out of `input:`") from None
    raise InputError(f"{path}: not a regular file; copy what it holds into one")


def _stage(folder: Path, inputs: Sequence[InputSpec], config: ReadConfig) -> tuple[Stage, list[_Origin]]:
    """The read stage's identity: the contents of its inputs, their field names, and its configuration."""
    found = origins(inputs)
    identity = {
        "config": config,
        "inputs": [[origin.name, origin.sha256, origin.spec] for origin in found],
    }
    return Stage("read", STAGE_VERSION, folder, config=identity), found


class Documents(Corpus, Output):
    """A text version of the corpus: as it was read, or as cleaners made it."""

    made_by: ClassVar = {"read": STAGE_VERSION}

    @classmethod
    def place(cls, view: View, of: str) -> Path:
        """``corpus/<version>``."""
        return view.workspace.corpus(view.texts.version(of))


class NeutralDocuments(Documents):
    """The documents of a neutral held-out set, by its name."""

    @classmethod
    def place(cls, view: View, of: str) -> Path:
        """``neutral/<name>``."""
        return view.workspace.neutral(of)


class WantedDocuments(Documents):
    """Examples that teach a classifier."""

    @classmethod
    def place(cls, view: View, of: str) -> Path:  # noqa: ARG003
        """``learned/wanted``."""
        return view.workspace.learned() / "wanted"


def ingest(folder: Path, inputs: Sequence[InputSpec], config: ReadConfig, *, step: Step = QUIET) -> Corpus:
    """Read inputs into ``folder``, or find that it has been done. The step counts rows.

    Raises:
        InputError: a file fault, or more than ``max_bad_fraction`` unreadable rows.
    """
    stage, found = _stage(folder, inputs, config)
    if stage.done() is None:
        stage.start()
        counts = _write_shards(folder, found, config, step=step)
        _check_bad_fraction(folder, counts, config)
        stage.commit(_summary(folder, counts))
    return Corpus(folder)


def _write_shards(folder: Path, found: list[_Origin], config: ReadConfig, *, step: Step) -> _Counts:
    counts, quarantine = _Counts(), []
    with _ShardWriter(folder, config.shard_rows) as shard:
        for origin in found:
            before = counts.rows
            for batch in _batches(origin, config):
                counts.rows += batch.rows
                counts.quarantined.update(row.reason for row in batch.bad)
                counts.replaced_surrogates += batch.replaced_surrogates
                quarantine += [quarantine_line(origin.name, row) for row in batch.bad]
                shard.add(batch.documents)
                step.advance(batch.rows, detail=origin.name)
            if counts.rows == before:
                counts.empty_files.append(origin.name)
    write_bytes_atomic(folder / "quarantined.jsonl", b"".join(quarantine))
    return counts


def _batches(origin: _Origin, config: ReadConfig) -> Iterator[Batch]:
    limit = config.max_document_bytes
    if origin.path is None:
        naming = Origin(origin.name, origin.name, origin.spec)
        return batches_of_rows(sample_rows(origin.name), naming, max_document_bytes=limit)
    return read_batches(origin.path, origin.spec, max_document_bytes=limit)


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
        sizes = pc.binary_length(documents.column("text")).cast(pa.int64())
        table = documents.append_column("n_bytes", sizes)
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
        path = self._folder / f"{self._number:05d}.parquet"
        writing = self._threads.submit(_write_shard, path, pa.concat_tables(self._tables))
        self._writing.append((self._held_bytes, writing))
        self._number += 1
        self._start()

    def _wait(self, max_bytes: int) -> None:
        """Until fewer shards than writers, of at most ``max_bytes`` of text, are being written; below 0: until none."""
        while self._writing and (len(self._writing) >= WRITERS or sum(size for size, _ in self._writing) > max_bytes):
            self._writing.popleft()[1].result()


def _write_shard(path: Path, documents: pa.Table) -> None:
    table = documents.combine_chunks()
    keys = pl.Series(content_keys(table.column("text"))).to_arrow()
    table = table.add_column(table.num_columns - 1, "content_key", keys)
    write_table(path, table, repeated=["source"], often_read=True)


def _check_bad_fraction(folder: Path, counts: _Counts, config: ReadConfig) -> None:
    bad = counts.quarantined.total()
    if counts.rows and bad > config.max_bad_fraction * counts.rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.quarantined.most_common())
        raise InputError(
            f"{bad:,} of {counts.rows:,} rows are unreadable ({reasons}), more than max_bad_fraction "
            f"{config.max_bad_fraction:g}; they are listed in {folder / 'quarantined.jsonl'}: repair them, "
            "or raise `read.max_bad_fraction` (of a command: --max-bad-fraction)"
        )
    if counts.rows == bad:
        raise InputError(f"no documents in {', '.join(counts.empty_files) or 'the input'}; check `input:`")


def _summary(folder: Path, counts: _Counts) -> dict[str, Any]:
    by_source = (
        pl.concat(
            [pl.read_parquet(path, columns=["source", "n_bytes"]) for path in sorted(folder.glob("[0-9]*.parquet"))]
        )
        .group_by("source")
        .agg(pl.len().alias("documents"), pl.col("n_bytes").sum())
        .sort("source")
    )
    return {
        "rows": counts.rows,
        "documents": int(by_source["documents"].sum()),
        "quarantined": dict(sorted(counts.quarantined.items())),
        "replaced_surrogates": counts.replaced_surrogates,
        "empty_files": counts.empty_files,
        "sources": {
            row["source"]: {"documents": row["documents"], "bytes": row["n_bytes"]} for row in by_source.to_dicts()
        },
    }


def reading_warnings(summary: Mapping[str, Any]) -> list[str]:
    """What the user should know of how the rows were read, of the record's summary."""
    found = [f"{name}: empty file" for name in summary["empty_files"]]
    if summary["replaced_surrogates"]:
        found.append(f"{summary['replaced_surrogates']:,} rows held lone surrogates; they became U+FFFD")
    return found
