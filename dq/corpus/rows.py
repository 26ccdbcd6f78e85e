"""Rows out of files: each is a document or a fault with its file and line. Nothing is lost silently.

Lines are parsed by orjson (about 1 GB/s); what it refuses is given to the standard library, which tells the valid but
unusual (lone surrogates, control characters) from the broken.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
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
    except (OSError, EOFError, pa.ArrowException) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read: {reason}; replace the file, or take it out of `input:`") from None


def _open(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.name.endswith(".zst"):
        return pa.input_stream(str(path), compression="zstd")  # type: ignore[no-any-return]
    return path.open("rb")


def _lines(stream: IO[bytes], *, max_line_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """Lines without their end, and whether the line was whole; of a longer line only the beginning is kept."""
    chunk_bytes = 4 << 20
    rest, skipping = b"", False
    while chunk := stream.read(chunk_bytes):
        parts = chunk.split(b"\n")
        if skipping and len(parts) == 1:
            continue
        parts[0] = rest + parts[0]
        for line in parts[:-1]:
            yield line, not skipping
            skipping = False
        rest = rest if skipping else parts[-1]
        if len(rest) > max_line_bytes:
            rest, skipping = rest[:256], True
    if rest:
        yield rest, not skipping


def _json_rows(stream: IO[bytes], *, max_line_bytes: int) -> Iterator[Row | BadRow]:
    for number, (raw, whole) in enumerate(_lines(stream, max_line_bytes=max_line_bytes), start=1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not whole:
            yield BadRow(number, "line_too_long", line[:64])
        elif line.strip():
            yield _json_row(line, number)


def _json_row(line: bytes, number: int) -> Row | BadRow:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _unusual_json_row(line, number)
    if not isinstance(fields, dict):
        return BadRow(number, "not_an_object", line[:64])
    return Row(fields, number)


def _unusual_json_row(line: bytes, number: int) -> Row | BadRow:
    try:
        fields = json.loads(line.decode("utf-8"), strict=False, parse_constant=_refuse)
    except UnicodeDecodeError:
        return BadRow(number, "invalid_utf8", line[:64])
    except (ValueError, RecursionError):
        return BadRow(number, "broken_json", line[:64])
    if not isinstance(fields, dict):
        return BadRow(number, "not_an_object", line[:64])
    clean = _without_surrogates(fields)
    return Row(clean, number, replaced_surrogates=clean != fields)


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
            # Text read as bytes: a string column may hold invalid UTF-8, and that is one row's fault, not the file's.
            columns = [_as_bytes(column) for column in batch.columns]
            names = batch.schema.names
            for values in zip(*(column.to_pylist() for column in columns), strict=True):
                number += 1
                yield _decoded(dict(zip(names, values, strict=True)), number, string_columns=_strings(batch.schema))


def _strings(schema: Any) -> frozenset[str]:
    return frozenset(
        field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    )


def _as_bytes(column: Any) -> Any:
    if pa.types.is_string(column.type):
        return column.cast(pa.binary())
    if pa.types.is_large_string(column.type):
        return column.cast(pa.large_binary())
    return column


def _decoded(fields: Mapping[str, Any], number: int, *, string_columns: frozenset[str]) -> Row | BadRow:
    decoded: dict[str, Any] = {}
    for name, value in fields.items():
        if name in string_columns and value is not None:
            try:
                decoded[name] = value.decode("utf-8")
            except UnicodeDecodeError:
                return BadRow(number, "invalid_utf8", value[:64])
        else:
            decoded[name] = value
    return Row(decoded, number)
