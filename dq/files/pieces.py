"""Files to batches of documents for one-stage commands, streamed: pieces of the input, cut by the files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dq.corpus.config import InputSpec
from dq.corpus.inputs import Piece, input_files

__all__ = ["Fields", "split_inputs"]

PIECE_BYTES = 64 << 20  # uncompressed: enough to pay for a task


@dataclass(frozen=True)
class Fields:
    """Where a row keeps its text, id and source, and how long a text may be (bytes of UTF-8)."""

    text: str = "text"
    id: str = "id"
    source: str = "source"
    max_document_bytes: int = 64_000_000


def split_inputs(inputs: Sequence[str], fields: Fields = Fields()) -> list[Piece]:
    """The pieces of files, patterns and folders, in the order given, sorted within a pattern or folder.

    Raises:
        InputError: a pattern matches nothing, or a Parquet file cannot be read.
    """
    specs = [
        InputSpec(path=path, text_field=fields.text, id_field=fields.id, source_field=fields.source) for path in inputs
    ]
    return [piece for file in input_files(specs) for piece in file.pieces(max_bytes=PIECE_BYTES)]
