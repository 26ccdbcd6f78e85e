"""Reading by tasks: pieces of the input become documents, whose shards are then cut as one process would cut them.

Where a shard begins depends on all rows before it, so there are two rounds: each piece of the input leaves its
documents and their sizes, and then the shards that begin in each piece are written. A reading that was killed goes on
with the pieces that are not done. Meanwhile the documents take their room on disk a second time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dq.arrays import I64, offsets_of
from dq.corpus.batches import gathered
from dq.corpus.config import ReadConfig
from dq.corpus.documents import DOCUMENT_SCHEMA
from dq.corpus.followed import followed
from dq.corpus.inputs import Inputs
from dq.corpus.pieces import Piece, cut_files
from dq.corpus.quarantine import QUARANTINE, RowCounts, join_quarantines, quarantine
from dq.executors import QUIET, Executor, Step
from dq.stages.shards import SHARD_TEXT_BYTES, check_shards, with_sizes, write_shard
from dq.store import read_json, write_json_atomic
from dq.store.files import replacing

WORK = "work"
PIECE_BYTES = 256 << 20  # uncompressed: some seconds of work, and longer than most shards


@dataclass(frozen=True)
class _ReadTask:
    """A piece of the input, and the files that are left of it."""

    piece: Piece
    number: int
    folder: Path
    max_document_bytes: int

    def file(self, ending: str) -> Path:
        """One of its files."""
        return self.folder / WORK / f"{self.number:06d}.{ending}"

    @property
    def output(self) -> Path:
        """What became of its rows; written last."""
        return self.file("json")


class _Run(NamedTuple):
    """Documents of a piece that are in a shard."""

    documents: Path
    first: int
    end: int


@dataclass(frozen=True)
class _CutTask:
    """The shards that begin in a piece."""

    first_shard: int
    shards: tuple[tuple[_Run, ...], ...]
    folder: Path

    @property
    def output(self) -> Path:
        """Says that all of them are written."""
        return self.folder / WORK / f"{self.first_shard:06d}.cut"


def read_by_tasks(folder: Path, found: Inputs, config: ReadConfig, *, executor: Executor, step: Step) -> RowCounts:
    """Write the shards of an input and its quarantine; the same bytes as by one process. The step counts bytes read.

    Raises:
        InputError: a file fault, or too many unreadable rows.
    """
    (folder / WORK).mkdir(exist_ok=True)
    pieces = cut_files(found.files, max_bytes=PIECE_BYTES)
    reads = [_ReadTask(piece, number, folder, config.max_document_bytes) for number, piece in enumerate(pieces)]
    executor.run(_read, reads, output=lambda task: task.output, step=step, amount=lambda task: task.piece.stored)
    counts = RowCounts(left_out=found.left_out)
    for task in reads:
        counts.merge(RowCounts.from_dict(read_json(task.output)))
    join_quarantines([task.file(QUARANTINE) for task in reads], folder / QUARANTINE)
    counts.check(config, listed_in=folder / QUARANTINE, text_field=found.files[0].spec.text_field)
    cuts = list(_cut_tasks(reads, folder, rows=config.shard_rows))
    executor.run(_cut, cuts, output=lambda task: task.output)
    for task in reads:
        task.output.unlink()  # first: what a kill leaves of a piece is then no finished piece
    shutil.rmtree(folder / WORK)
    return counts


def _read(task: _ReadTask) -> None:
    counts, sizes = RowCounts(), [np.empty(0, np.int64)]
    schema = with_sizes(DOCUMENT_SCHEMA.empty_table()).schema
    with (
        quarantine(task.file(QUARANTINE), counts) as take,
        replacing(task.file("arrow")) as temporary,
        pa.ipc.new_file(temporary, schema) as file,
    ):
        for _, batch in gathered(followed(task.piece.parts, QUIET, max_document_bytes=task.max_document_bytes)):
            take(batch)
            documents = with_sizes(batch.documents)
            file.write_table(documents)
            sizes.append(documents.column("n_bytes").to_numpy())
    with replacing(task.file("sizes")) as temporary:
        np.concatenate(sizes).tofile(temporary)
    write_json_atomic(task.output, counts.to_dict())


def _cut_tasks(reads: Sequence[_ReadTask], folder: Path, *, rows: int) -> Iterator[_CutTask]:
    """For each piece in which shards begin, these: of which documents of which pieces."""
    sizes = [np.fromfile(task.file("sizes"), np.int64) for task in reads]
    begins = offsets_of([len(one) for one in sizes])
    edges = cut_rows(np.concatenate([np.empty(0, np.int64), *sizes]), rows=rows)
    check_shards(len(edges) - 1)
    pieces = np.searchsorted(begins, edges[:-1], side="right") - 1
    for piece in np.unique(pieces):
        shards = np.flatnonzero(pieces == piece)
        runs = (_runs(begins, int(edges[one]), int(edges[one + 1])) for one in shards)
        named = (tuple(_Run(reads[piece].file("arrow"), *rows) for piece, *rows in shard) for shard in runs)
        yield _CutTask(int(shards[0]), tuple(named), folder)


def cut_rows(sizes: I64, *, rows: int, max_bytes: int = SHARD_TEXT_BYTES) -> I64:
    """Where shards begin and end: after so many documents, or with the one that makes it so many bytes of text."""
    ends, edges = np.cumsum(sizes), [0]
    while (first := edges[-1]) < len(sizes):
        before = int(ends[first - 1]) if first else 0
        by_bytes = int(np.searchsorted(ends, before + max_bytes)) + 1
        edges.append(min(len(sizes), first + rows, by_bytes))
    return np.array(edges, np.int64)


def _runs(begins: I64, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Documents [first, end) of all, by the pieces that they are in: piece, and rows of it."""
    while first < end:
        piece = int(np.searchsorted(begins, first, side="right")) - 1
        stop = min(end, int(begins[piece + 1]))
        yield piece, first - int(begins[piece]), stop - int(begins[piece])
        first = stop


def _cut(task: _CutTask) -> None:
    for number, runs in enumerate(task.shards, start=task.first_shard):
        write_shard(task.folder, number, pa.concat_tables([_documents(run) for run in runs]))
    write_json_atomic(task.output, {"shards": len(task.shards)})


def _documents(run: _Run) -> pa.Table:
    """Documents that stay on disk until they are used: files are not compressed."""
    with pa.memory_map(str(run.documents)) as source:
        return pa.ipc.open_file(source).read_all().slice(run.first, run.end - run.first)
