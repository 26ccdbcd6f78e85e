"""Any input file to batches of documents, by its name: JSON lines (plain, .gz, .zst) or Parquet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dq.corpus.config import InputSpec
from dq.corpus.documents import DOCUMENT_SCHEMA, Batch, Origin, batches_of_rows
from dq.corpus.formats.jsonl import Span, is_jsonl, json_rows
from dq.corpus.formats.parquet import Groups, parquet_batches
from dq.errors import InputError

__all__ = ["FILE_FAULTS", "is_parquet", "read_batches", "unreadable"]

FILE_FAULTS = (OSError, EOFError, zlib.error, pa.ArrowException)
"""What the readers' libraries raise where a file as a whole is at fault."""


def is_parquet(path: Path) -> bool:
    """Whether a file's name says that it is Parquet."""
    return path.name.endswith(".parquet")


def _origin_of(path: Path, spec: InputSpec) -> Origin:
    """How the rows of a file are named; their source, where nothing names one, is the file's name without endings."""
    return Origin(path.as_posix(), path.name.partition(".")[0] or path.name, spec)


def read_batches(
    path: Path, spec: InputSpec, *, max_document_bytes: int, part: Groups | Span | None = None
) -> Iterator[Batch]:
    """The documents of a file, in order, in batches of about 8 MB; an empty file is one empty batch.

    Args:
        path: a file that ``spec`` names.
        spec: how its fields are named.
        max_document_bytes: longest text, in bytes of UTF-8.
        part: row groups of a Parquet file, or lines of a plain JSONL file; default all of it.

    Raises:
        InputError: the file is missing, of an unknown kind, truncated or otherwise unreadable as a file.
    """
    origin, any_rows = _origin_of(path, spec), False
    try:
        if is_parquet(path):
            groups = part if isinstance(part, Groups) else None
            batches = parquet_batches(path, origin, max_document_bytes=max_document_bytes, groups=groups)
        elif is_jsonl(path):
            span = part if isinstance(part, Span) else None
            rows = json_rows(path, max_document_bytes=max_document_bytes, span=span)
            batches = batches_of_rows(rows, origin, max_document_bytes=max_document_bytes)
        else:
            raise InputError(f"{path}: unknown kind of file; dq reads .jsonl, .jsonl.gz, .jsonl.zst and .parquet")
        for batch in batches:
            any_rows = True
            yield batch
    except FILE_FAULTS as error:
        raise unreadable(path, error) from None
    if not any_rows:
        yield Batch(DOCUMENT_SCHEMA.empty_table())


def unreadable(path: Path, error: BaseException) -> InputError:
    """A file fault on one line."""
    reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
    return InputError(f"{path}: cannot be read: {reason}; replace the file, or leave it out of the input")
