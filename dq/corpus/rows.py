"""Rows out of files: each is a document or a fault with its file and line. Nothing is lost silently.

Lines are parsed by orjson (about 1 GB/s); what it refuses is given to the standard library, which tells the valid but
unusual (lone surrogates, control characters) from the broken.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dq.errors import InputError

__all__ = ["BadRow", "Row", "read_rows"]

JSONL_ENDINGS = (".jsonl", ".ndjson", ".json")
# A valid text of n bytes can take 6 n bytes of JSON (\\u0041 for A); the rest of a row gets as much again.
JSON_EXPANSION = 7
CHUNK_BYTES = 4 << 20
FIRST_BYTES = 64  # of a bad row, for the quarantine


@dataclass(slots=True)
class Row:
    """One readable row: its fields and where it came from (line or row number, from 1)."""

    fields: dict[str, Any]
    line: int
    replaced_surrogates: bool = False


@dataclass(slots=True)
class BadRow:
    """One unreadable row, for the quarantine."""

    line: int
    reason: str
    first_bytes: bytes


def read_rows(path: Path, *, max_document_bytes: int) -> Iterator[Row | BadRow]:
    """Every row of a JSONL (plain, .gz, .zst) or Parquet file.

    Raises:
        InputError: the file is missing, of an unknown kind, truncated or otherwise unreadable as a file.
    """
    try:
        if path.name.endswith(".parquet"):
            yield from _parquet_rows(path)
        elif path.name.removesuffix(".gz").removesuffix(".zst").endswith(JSONL_ENDINGS):
            with _open(path) as stream:
                yield from _json_rows(stream, max_line_bytes=JSON_EXPANSION * max_document_bytes)
        else:
            raise InputError(f"{path}: unknown kind of file; dq reads .jsonl, .jsonl.gz, .jsonl.zst and .parquet")
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read: {reason}; replace the file, or take it out of `input:`") from None


def _open(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.name.endswith(".zst"):
        return pa.input_stream(str(path), compression="zstd")  # type: ignore[no-any-return]
    return path.open("rb")


def _lines(stream: IO[bytes], *, max_line_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """Lines without their end, and whether the line was whole; of a longer line little more than that is in memory."""
    begun, whole = bytearray(), True
    while chunk := stream.read(CHUNK_BYTES):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = bytes(begun + end) if begun else end
            yield line, whole and len(line) <= max_line_bytes
            begun, whole = bytearray(), True
        begun += rest
        if len(begun) > max_line_bytes:
            whole = False
            del begun[FIRST_BYTES:]
    if begun:
        yield bytes(begun), whole


def _json_rows(stream: IO[bytes], *, max_line_bytes: int) -> Iterator[Row | BadRow]:
    for number, (raw, whole) in enumerate(_lines(stream, max_line_bytes=max_line_bytes), start=1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not whole:
            yield BadRow(number, "line_too_long", line[:FIRST_BYTES])
        elif line.strip():
            yield _json_row(line, number)


def _json_row(line: bytes, number: int) -> Row | BadRow:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _unusual_json_row(line, number)
    if not isinstance(fields, dict):
        return BadRow(number, "not_an_object", line[:FIRST_BYTES])
    return Row(fields, number)


def _unusual_json_row(line: bytes, number: int) -> Row | BadRow:
    try:
        fields = json.loads(line.decode("utf-8"), strict=False, parse_constant=_refuse)
        clean = _without_surrogates(fields)
        replaced = clean != fields
    except UnicodeDecodeError:
        return BadRow(number, "invalid_utf8", line[:FIRST_BYTES])
    except (ValueError, RecursionError):
        return BadRow(number, "broken_json", line[:FIRST_BYTES])
    if not isinstance(clean, dict):
        return BadRow(number, "not_an_object", line[:FIRST_BYTES])
    return Row(clean, number, replaced_surrogates=replaced)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _without_surrogates(value: Any) -> Any:
    """Lone surrogates become U+FFFD, pairs of them the character that they spell."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value


def _parquet_rows(path: Path) -> Iterator[Row | BadRow]:
    with pq.ParquetFile(path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=512):
            columns = [_values(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                number += 1
                bad = next((value for value in values if isinstance(value, _InvalidText)), None)
                if bad is None:
                    yield Row(dict(zip(batch.schema.names, values, strict=True)), number)
                else:
                    yield BadRow(number, "invalid_utf8", bad.first_bytes)


@dataclass(frozen=True, slots=True)
class _InvalidText:
    """In the place of a value that holds invalid UTF-8: one row's fault, not the file's."""

    first_bytes: bytes


def _values(column: Any) -> list[Any]:
    """A column as Python values. Arrow checks no UTF-8, so the whole column is tried first, then each value."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return _InvalidText(error.object[:FIRST_BYTES])
