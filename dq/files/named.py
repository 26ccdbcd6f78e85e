"""What the name of an output says: a folder of Parquet pieces, or one file, Parquet or lines of JSON.

A named file is made from pieces in a hidden folder beside it, ``.NAME.parts``, which keeps the record when it is whole:
so one file goes on after an interruption, and is the same bytes for any number of workers, as a folder is.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.corpus.quarantine import QUARANTINE
from dq.errors import ConfigError, WorkspaceError
from dq.files.tables import join_tables
from dq.store import read_record
from dq.store.contents import RECORD, STARTED
from dq.store.files import replacing

LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
# Names that mean a kind of file, which a folder should not have.
OTHERS = (
    *(
        ".csv",
        ".tsv",
        ".txt",
        ".json",
        ".ndjson",
        ".arrow",
        ".feather",
        ".ipc",
        ".avro",
        ".orc",
        ".xlsx",
        ".html",
        ".md",
    ),
    *(".yaml", ".yml", ".pkl", ".npy", ".bin", ".warc", ".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".tar", ".tgz"),
)
DIVIDING = ("filter", "decontaminate")
"""The stages that make such outputs."""
COPY_BYTES = 4 << 20
GZIP_LEVEL = 6


@dataclass(frozen=True)
class Named:
    """An output by its path."""

    path: Path
    kind: Literal["folder", "parquet", "lines"]

    @classmethod
    def of(cls, path: Path, *, field: str) -> Named:
        """What a path names.

        Raises:
            ConfigError: a kind of file that is not written.
        """
        name = path.name.lower()
        if name.endswith(LINES):
            return cls(path, "lines")
        if name.endswith(".parquet"):
            return cls(path, "parquet")
        if name.endswith(OTHERS) and not path.is_dir():
            raise ConfigError(
                f"{path}: no kind of file that is written; name a folder (of Parquet files), or a file that ends with "
                f".parquet, {', '.join(LINES)}",
                field=field,
            )
        return cls(path, "folder")

    @property
    def folder(self) -> Path:
        """Where the pieces and the record are."""
        return self.path if self.kind == "folder" else self.path.with_name(f".{self.path.name}.parts")

    @property
    def quarantine(self) -> Path:
        """The list of unreadable rows."""
        if self.kind == "folder":
            return self.path / QUARANTINE
        return self.path.with_name(f"{self.path.name.partition('.')[0]}.{QUARANTINE}")

    def piece(self, number: int) -> Path:
        """The file of a piece."""
        return self.folder / f"{number:05d}{'.jsonl.zst' if self.kind == 'lines' else '.parquet'}"

    def prepare(self) -> None:
        """Forget the record of a file that is gone; refuse one that is there without a record.

        Raises:
            WorkspaceError: a file is there that no record is of.
        """
        if self.kind == "folder":
            return
        if self.path.is_dir():
            raise WorkspaceError(f"{self.path}: a folder; name a file, or a folder without such an ending")
        if not self.path.parent.is_dir():
            raise WorkspaceError(f"{self.path.parent}: no such folder; make it, or name another")
        recorded = (self.folder / RECORD).exists()
        if self.path.exists() and not recorded and not (self.folder / STARTED).exists():
            raise WorkspaceError(f"{self.path}: already there, and not made by this command; name another file")
        if recorded and not self.path.exists() and read_record(self.folder).stage in DIVIDING:
            (self.folder / RECORD).unlink()

    def finish(self, pieces: Sequence[Path]) -> None:
        """Make the file of its pieces."""
        if self.kind == "folder":
            return
        if self.kind == "parquet":
            join_tables(pieces, self.path, metadata=None)
        else:
            with replacing(self.path) as temporary, _packed(temporary, self.path.name.lower()) as output:
                for piece in pieces:
                    with pa.OSFile(str(piece)) as stored, pa.CompressedInputStream(stored, "zstd") as lines:
                        shutil.copyfileobj(lines, output, COPY_BYTES)

    def clear(self, pieces: Sequence[Path]) -> None:
        """Delete the pieces that a file was made of."""
        for piece in pieces if self.kind != "folder" else ():
            piece.unlink(missing_ok=True)


def export_table(table: Path, output: Path) -> None:
    """Write a Parquet table as lines of JSON or as CSV, as the name says."""
    name, first = output.name.lower(), True
    with replacing(output) as temporary, _packed(temporary, name) as file, pq.ParquetFile(table) as rows:
        for batch in rows.iter_batches(batch_size=1 << 16, use_threads=False):
            frame = pl.DataFrame(batch)
            text = frame.write_csv(include_header=first) if name.endswith(".csv") else frame.write_ndjson()
            file.write(text.encode())
            first = False


@contextmanager
def _packed(path: Path, name: str) -> Iterator[IO[bytes]]:
    """A file of one frame, since some readers take the first alone; without a time, so that equal runs are equal."""
    with path.open("wb") as file:
        if name.endswith(".gz"):
            with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        elif name.endswith(".zst"):
            with pa.CompressedOutputStream(pa.PythonFile(file), "zstd") as packed:
                yield packed
        else:
            yield file


@contextmanager
def lines_writer(path: Path) -> Iterator[LineWriter]:
    """The writer of a piece of lines, which appears when it is whole."""
    with replacing(path) as temporary, pa.CompressedOutputStream(str(temporary), "zstd") as file:
        yield LineWriter(file)


class LineWriter:
    """Lines to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, lines: Sequence[str]) -> None:
        """Write some lines."""
        if lines:
            self._file.write(("\n".join(lines) + "\n").encode())
