"""Atomic writes: a file is either absent, the old one, or the whole new one, whenever the process dies."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arrays import Array
from dq.errors import WorkspaceError, cause_of

PARTIAL = re.compile(r"\..+\.\d+\.partial")
"""The names of what `replacing` writes: the file's own, and the process's id."""
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path makes `s3:/bucket` of `s3://bucket`


def local(path: str | Path) -> Path:
    """A path of this machine.

    Raises:
        WorkspaceError: it is an address.
    """
    if ADDRESS.match(str(path)) and not Path(path).exists():
        raise WorkspaceError(
            f"{str(path).replace(':/', '://', 1)}: an address, and dq works on this machine alone; name a place there, "
            "and send there what is made: `dq send`"
        )
    return Path(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling to write; flush it to disk and move it to ``path`` on success."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, pl.exceptions.ComputeError) as error:  # polars reports a full disk as the latter
        raise WorkspaceError(f"{path}: cannot be written: {cause_of(error)}; free or name another place") from None
    finally:
        with suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left of `replacing` in a folder and below it."""
    for path in folder.rglob(".*.partial"):
        if PARTIAL.fullmatch(path.name) and not path.is_symlink():
            path.unlink()


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a whole small file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json_atomic(path: Path, value: Any) -> None:
    """Write JSON for people and machines: indented, keys in the order given."""
    write_bytes_atomic(path, _indented(value) + b"\n")


def _indented(value: Any) -> bytes:
    """JSON by orjson, 30 times as fast; what it refuses (long integers) or changes (NaN) by the standard library."""
    plain = json.dumps(value, ensure_ascii=False)
    if "NaN" not in plain and "Infinity" not in plain:
        with suppress(TypeError):
            return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write one Parquet file (zstd). The same frame gives the same bytes under one version of polars."""
    with replacing(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", compression_level=3, statistics=False)


def write_table(path: Path, table: pa.Table, *, repeated: Sequence[str] = (), often_read: bool = False) -> None:
    """Write one Parquet file of long texts, compressed fast, a dictionary only for the ``repeated`` columns.

    By zstd at its first level: against `write_parquet` that takes half the time and an eighth more room (books, news,
    code). What is ``often_read`` is written by LZ4: against that zstd two thirds of the time to write, less than half
    the time to read, two fifths more room. The same table gives the same bytes under one version of Arrow.
    """
    compression = {"compression": "lz4"} if often_read else {"compression": "zstd", "compression_level": 1}
    with replacing(path) as temporary:
        pq.write_table(table, temporary, use_dictionary=list(repeated), write_statistics=False, **compression)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read one Parquet file that dq wrote, or some columns of it, whatever brackets and stars its path holds.

    Raises:
        WorkspaceError: the file is missing, damaged or of other columns.
    """
    try:
        return pl.read_parquet(path, columns=None if columns is None else list(columns), glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def read_between(path: Path, bounds: tuple[int, int], *, by: str) -> pl.DataFrame:
    """The rows of a Parquet file that have a number from the first of the ``bounds`` to before the other.

    ``by`` is the column with the numbers, and rows are in its order: of a file of `pl.DataFrame.write_parquet` little
    more is read then than is asked for.

    Raises:
        WorkspaceError: the file is missing, damaged or of other columns.
    """
    try:
        rows = pl.scan_parquet(path, glob=False).filter(pl.col(by).is_between(*bounds, closed="left"))
        return rows.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def read_array(path: Path, column: str) -> Array:
    """A column without nulls of a Parquet file of `write_table`, of any number of rows: polars counts them in 32 bits.

    Raises:
        WorkspaceError: the file is missing, damaged or of other columns.
    """
    try:
        with pq.ParquetFile(path) as file:  # pq.read_table would load pandas
            found: Array = file.read(columns=[column]).column(column).to_numpy()
            return found
    except (OSError, KeyError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> WorkspaceError:
    return WorkspaceError(f"{path}: cannot be read ({cause_of(error)}); delete {path.parent} and run again")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that dq wrote, which is an object.

    Raises:
        WorkspaceError: the file is missing or damaged.
    """
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found
    except FileNotFoundError:
        raise WorkspaceError(f"{path}: missing; run the stage that writes it") from None
    except (ValueError, OSError, RecursionError) as error:
        raise WorkspaceError(f"{path}: cannot be read ({cause_of(error)}); delete it and run again") from None


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
