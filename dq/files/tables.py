"""Parquet files of documents and scores, written as they come, in row groups of bounded size."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.corpus.columns import as_schema, united
from dq.store.files import replacing

WRITE_BYTES = 32 << 20  # of a row group, in memory
COMPRESSION_LEVEL = 1  # of zstd
REPEATED = ("source", "reasons.list.element")  # columns of few values, worth a dictionary


class TableWriter:
    """Tables to one Parquet file in row groups of about WRITE_BYTES; a file without documents has the columns.

    Args:
        path: of the file.
        metadata: what the file says about itself.
    """

    def __init__(self, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
        self._path, self._metadata = path, metadata
        self._file: pq.ParquetWriter | None = None
        self._tables: list[pa.Table] = []
        self._schema: pa.Schema | None = None
        self._parts: list[Path] = []  # what was written under narrower schemas
        self._held = 0

    def add(self, table: pa.Table) -> None:
        """Take a table; write when there is enough for a row group."""
        if self._schema is not None and table.schema != self._schema:
            both = united(self._schema, table.schema)
            if both != self._schema:
                self._cut()
            self._schema = both
            table = as_schema(table, both)
        self._schema = table.schema if self._schema is None else self._schema
        self._tables.append(table)
        self._held += table.nbytes
        if self._held >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._tables:
            return
        table = pa.concat_tables(self._tables)
        if self._metadata is not None:
            table = table.replace_schema_metadata(self._metadata)
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

    def _cut(self) -> None:
        """Put what is written aside: what follows has another schema."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._parts.append(_aside(self._path, len(self._parts)))
            self._path.rename(self._parts[-1])
            self._file = None

    def close(self) -> None:
        """Write what is held, and the end of the file; what was put aside comes first."""
        if self._parts and self._schema is not None:
            self._cut()
            parts, schema = self._parts, self._schema
            self._parts = []
            for part in parts:
                self._copy(part, schema)
                part.unlink()
        self.flush()
        if self._file is not None:
            self._file.close()

    def _copy(self, part: Path, schema: pa.Schema) -> None:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=1 << 16, use_threads=False):
                self.add(as_schema(pa.Table.from_batches([batch]), schema))


@contextmanager
def table_writer(path: Path) -> Iterator[TableWriter]:
    """The writer of a file, which appears when it is whole."""
    with replacing(path) as temporary:
        writer = TableWriter(temporary)
        yield writer
        writer.close()


def _aside(path: Path, number: int) -> Path:
    """The name of a part of a file that `replacing` writes, which is cleared away as that is."""
    return path.with_name(path.name.replace(".partial", f".{number}.partial"))


def unite(paths: Sequence[Path]) -> None:
    """Give files of one output the columns of all, so that readers take them for one table.

    Most are as they should be. What a file becomes depends on all files alone: a kill in between changes nothing.
    """
    schemas = [pq.read_schema(path) for path in paths]
    total = functools.reduce(united, schemas)
    for path, schema in zip(paths, schemas, strict=True):
        if schema == total:
            continue
        with table_writer(path) as writer, pq.ParquetFile(path) as file:
            writer.add(as_schema(pa.Table.from_batches([], schema=schema), total))
            for batch in file.iter_batches(batch_size=1 << 16, use_threads=False):
                writer.add(as_schema(pa.Table.from_batches([batch], schema=schema), total))


def join_tables(parts: Sequence[Path], output: Path, *, metadata: Mapping[str, str] | None) -> None:
    """The parts as one file, in order."""
    with replacing(output) as temporary:
        writer = TableWriter(temporary, metadata=metadata)
        for part in parts:
            with pq.ParquetFile(part) as file:
                writer.add(pa.Table.from_batches([], schema=file.schema_arrow))
                for batch in file.iter_batches(batch_size=1 << 16, use_threads=False):
                    writer.add(pa.Table.from_batches([batch]))
        writer.close()


def arrow(column: pl.Series) -> pa.Array:
    """A column for Arrow, of types that every reader knows."""
    return column.to_arrow(compat_level=pl.CompatLevel.oldest())


def with_columns(table: pa.Table, columns: pl.DataFrame) -> pa.Table:
    """A table with columns to its right."""
    for column in columns:
        table = table.append_column(column.name, arrow(column))
    return table
