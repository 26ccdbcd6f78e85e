"""Files to batches of documents for one-stage commands, streamed: pieces of the input, cut by the files alone.

A piece is a compressed JSONL file, some lines of a plain one, or a run of row groups of a Parquet file. Pieces are
worked on in parallel; what they hold depends on the files and nothing else.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dq.corpus.config import InputSpec
from dq.corpus.documents import Batch
from dq.corpus.formats.base import FILE_FAULTS, is_parquet, read_batches, unreadable
from dq.corpus.formats.jsonl import Span, is_plain, line_spans
from dq.corpus.formats.parquet import Groups, row_groups
from dq.errors import InputError

__all__ = ["Fields", "Piece", "read_piece", "split_inputs"]

PIECE_BYTES = 64 << 20  # uncompressed: enough to pay for a task
FOLDER_PATTERNS = ("*.parquet", "*.jsonl", "*.jsonl.gz", "*.jsonl.zst", "*.ndjson", "*.ndjson.gz", "*.ndjson.zst")
QUARANTINE = "quarantined.jsonl"


@dataclass(frozen=True)
class Fields:
    """Where a row keeps its text, id and source, and how long a text may be (bytes of UTF-8)."""

    text: str = "text"
    id: str = "id"
    source: str = "source"
    max_document_bytes: int = 64_000_000


@dataclass(frozen=True)
class Piece:
    """A part of the input: a file, some row groups of a Parquet file, or some lines of a plain JSONL file."""

    path: Path
    part: Groups | Span | None = None


def split_inputs(inputs: Sequence[str]) -> list[Piece]:
    """The pieces of files, patterns and folders, in the order given, sorted within a pattern or folder.

    Raises:
        InputError: a pattern matches nothing, or a Parquet file cannot be read.
    """
    files = dict.fromkeys(path for entry in inputs for path in _files(entry))
    return [piece for path in files for piece in _pieces(path)]


def _files(entry: str) -> list[Path]:
    if Path(entry).is_dir():
        files = sorted(path for pattern in FOLDER_PATTERNS for path in Path(entry).glob(pattern))
        files = [path for path in files if path.name != QUARANTINE and not path.name.startswith(".")]
    elif os.path.lexists(entry):
        files = [Path(entry)]
    else:
        files = sorted(path for path in map(Path, glob.glob(entry, recursive=True)) if path.is_file())  # noqa: PTH207
    if not files:
        raise InputError(f"{entry}: no such file, and no .parquet or .jsonl in it; check the path")
    return files


def _pieces(path: Path) -> list[Piece]:
    try:
        if is_parquet(path):
            return [Piece(path, groups) for groups in row_groups(path, max_bytes=PIECE_BYTES)]
        if is_plain(path) and path.stat().st_size > PIECE_BYTES:
            return [Piece(path, span) for span in line_spans(path, max_bytes=PIECE_BYTES)]
        return [Piece(path)]
    except FILE_FAULTS as error:
        raise unreadable(path, error) from None


def read_piece(piece: Piece, fields: Fields) -> Iterator[Batch]:
    """The documents of a piece, in order, in batches of about 8 MB.

    Raises:
        InputError: the file cannot be read, or a Parquet file has no column of texts.
    """
    spec = InputSpec(path=str(piece.path), text_field=fields.text, id_field=fields.id, source_field=fields.source)
    return read_batches(piece.path, spec, max_document_bytes=fields.max_document_bytes, part=piece.part)
