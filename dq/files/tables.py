"""What one-stage commands write: Parquet files in row groups of bounded size, quarantines, folders of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dq.corpus.quarantine import QUARANTINE
from dq.errors import WorkspaceError
from dq.store.files import replacing, write_json_atomic

__all__ = [
    "RECORD",
    "SCORES",
    "STARTED",
    "TableWriter",
    "claim_folder",
    "join_quarantine",
    "join_tables",
    "table_writer",
]

RECORD, STARTED = "filter.json", "started.json"
SCORES = ".scores"  # folder of a first pass, for rules that rank the whole input
WRITE_BYTES = 32 << 20  # of a row group, in memory
COMPRESSION_LEVEL = 1  # of zstd
REPEATED = ("source", "reasons.list.element")  # columns of few values, worth a dictionary


class TableWriter:
    """Tables to one Parquet file in row groups of about WRITE_BYTES; a file without documents has the columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pq.ParquetWriter | None = None
        self._tables: list[pa.Table] = []
        self._held = 0

    def add(self, table: pa.Table) -> None:
        """Take a table; write when there is enough for a row group."""
        self._tables.append(table)
        self._held += table.nbytes
        if self._held >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._tables:
            return
        table = pa.concat_tables(self._tables)
        if self._file is None:
            self._file = pq.ParquetWriter(
                self._path,
                table.schema,
                compression="zstd",
                compression_level=COMPRESSION_LEVEL,
                use_dictionary=[name for name in REPEATED if name.partition(".")[0] in table.column_names],
                write_statistics=False,
            )
        if len(table):
            self._file.write_table(table, row_group_size=max(1, len(table)))
        self._tables, self._held = [], 0

    def close(self) -> None:
        """Write what is held, and the end of the file."""
        self.flush()
        if self._file is not None:
            self._file.close()


@contextmanager
def table_writer(folder: Path, number: int) -> Iterator[TableWriter]:
    """The writer of an output file by its number; the file appears when it is whole."""
    with replacing(folder / f"{number:05d}.parquet") as temporary:
        writer = TableWriter(temporary)
        yield writer
        writer.close()


def join_tables(parts: list[Path], output: Path) -> None:
    """The parts as one file, row group by row group."""
    with replacing(output) as temporary:
        writer = TableWriter(temporary)
        for part in parts:
            with pq.ParquetFile(part) as file:
                writer.add(pa.Table.from_batches([], schema=file.schema_arrow))
                for batch in file.iter_batches(batch_size=1 << 16, use_threads=False):
                    writer.add(pa.Table.from_batches([batch]))
        writer.close()


def join_quarantine(folder: Path, target: Path | None) -> None:
    """The pieces' quarantines as one file, in order; without a target, there is nothing in them."""
    parts = sorted(folder.glob(f"{QUARANTINE}.[0-9]*"))
    if target is not None:
        with replacing(target) as temporary, temporary.open("wb") as output:
            for part in parts:
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, output)
    for part in parts:
        part.unlink()


def claim_folder(folder: Path) -> None:
    """Make an output folder this run's; what an interrupted run left is deleted, anything else is an error."""
    if (folder / RECORD).exists():
        raise WorkspaceError(f"{folder}: holds what an earlier filter made; delete it, or name another folder")
    if (folder / STARTED).exists():
        for path in [*folder.glob("[0-9]*.parquet"), *folder.glob(f"{QUARANTINE}*"), *folder.glob(".*.partial")]:
            path.unlink()
        shutil.rmtree(folder / SCORES, ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(f"{folder}: not an empty folder; name another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{folder}: cannot be made: {error.strerror}; name another place") from None
    write_json_atomic(folder / STARTED, {"stage": "filter"})
