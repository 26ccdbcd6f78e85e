"""Files of the input in pieces that are worked on together, and the reading of them, batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dq.corpus.batches import Batch, FileRows, batches_of_rows
from dq.corpus.config import InputSpec
from dq.corpus.documents import DOCUMENT_SCHEMA, BadRow, Carried, Origin, PassedOver, Row
from dq.corpus.fields import partitions
from dq.corpus.formats.base import ColumnFormat, RowFormat
from dq.corpus.formats.expansion import ROW_BYTES, Expansion
from dq.corpus.inputs import FILE_FAULTS, InputFile, unreadable
from dq.corpus.places.base import opened_together
from dq.executors import run_in_threads

SHARES = 64
"""Pieces that keep every worker busy: of what is fetched, files of smaller shares are not looked through to be cut."""
MAX_FETCHED_BYTES = 1 << 30  # of such a piece, which is begun again where its worker dies


@dataclass(frozen=True)
class Part:
    """A part of a file, or a whole one."""

    input: InputFile
    part: Any = None
    size: int = 0
    """About how many bytes it has when it is unpacked."""
    stored: int = 0
    """Bytes on disk, or its share of those of its file."""


@dataclass(frozen=True)
class Piece:
    """Parts of files that are worked on together: one of a large file, or many small files."""

    parts: tuple[Part, ...]

    @property
    def stored(self) -> int:
        """Bytes on disk."""
        return sum(part.stored for part in self.parts)

    def batches(self, *, max_document_bytes: int, carries: Carried = "meta") -> Iterator[tuple[InputSpec, Batch]]:
        """Their documents, as `read_parts` gives them."""
        return read_parts(self.parts, max_document_bytes=max_document_bytes, carries=carries)


def cut_files(files: Sequence[InputFile], *, max_bytes: int) -> list[Piece]:
    """The pieces of some files, in order, each of about ``max_bytes``; they depend on the files alone.

    Raises:
        InputError: a file cannot be read.
    """
    pieces: list[list[Part]] = []
    held = 0
    threads = opened_together(file.file for file in files)
    share = sum(file.file.size for file in files) // SHARES if threads > 1 else 0
    most = max(max_bytes, min(share, MAX_FETCHED_BYTES))
    cut = run_in_threads(partial(parts_of, max_bytes=most), files, threads=threads)
    for part in itertools.chain.from_iterable(cut):
        if not pieces or held + part.size > max_bytes:
            pieces.append([])
            held = 0
        pieces[-1].append(part)
        held += part.size
    return [Piece(tuple(parts)) for parts in pieces]


def parts_of(file: InputFile, *, max_bytes: int) -> list[Part]:
    """A file in parts of about ``max_bytes``, which depend on the file alone."""
    try:
        cut = file.format.cut(file.file, max_bytes=max_bytes)
    except FILE_FAULTS as error:
        raise unreadable(file.name, error) from None
    ends = [0, *itertools.accumulate(size for _, size in cut)]
    at = [file.file.size * end // max(1, ends[-1]) for end in ends]
    return [
        Part(file, part, size, end - begin)
        for (part, size), (begin, end) in zip(cut, itertools.pairwise(at), strict=True)
    ]


def read_parts(
    parts: Iterable[Part], *, max_document_bytes: int, carries: Carried = "meta"
) -> Iterator[tuple[InputSpec, Batch]]:
    """The documents of some parts, in order, in batches, with what their fields are called.

    A batch holds rows of one entry of the input; of files without rows there are batches as well.

    Raises:
        InputError: a file is missing, truncated or otherwise unreadable as a file, swells without end, or has no
            texts.
    """
    for (spec, by_rows), same in itertools.groupby(parts, key=_together):
        if by_rows:
            rows = ((_origin(one, carries), _rows(one, max_document_bytes)) for one in same)
            batches = batches_of_rows(rows, max_document_bytes=max_document_bytes)
        else:
            batches = itertools.chain.from_iterable(_batches(one, max_document_bytes, carries) for one in same)
        for batch in batches:
            yield spec, batch


def _together(part: Part) -> tuple[InputSpec, bool]:
    """What parts that share batches have in common."""
    return part.input.spec, isinstance(part.input.format, RowFormat)


def _origin(part: Part, carries: Carried) -> Origin:
    one = part.input
    return Origin(one.name, one.source, one.spec, partitions(one.name), carries)


def _rows(part: Part, max_document_bytes: int) -> Iterator[Row | BadRow | PassedOver]:
    one = part.input
    assert isinstance(one.format, RowFormat)
    expansion = Expansion(one.name, one.file.size)
    try:
        for row in one.format.rows(one.file, max_document_bytes=max_document_bytes, part=part.part):
            expansion.take(ROW_BYTES)
            yield row
    except FILE_FAULTS as error:
        raise unreadable(one.name, error) from None


def _batches(part: Part, max_document_bytes: int, carries: Carried) -> Iterator[Batch]:
    one = part.input
    assert isinstance(one.format, ColumnFormat)
    expansion, origin, any_rows = Expansion(one.name, one.file.size), _origin(part, carries), False
    try:
        for batch in one.format.batches(one.file, origin, max_document_bytes=max_document_bytes, part=part.part):
            any_rows = True
            expansion.take(batch.documents.nbytes + ROW_BYTES * batch.rows)
            yield batch
    except FILE_FAULTS as error:
        raise unreadable(one.name, error) from None
    if not any_rows:
        yield Batch(DOCUMENT_SCHEMA.empty_table(), (FileRows(one.name, 0, 0),), np.empty(0, np.int64))
