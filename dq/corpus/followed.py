"""How far the reading of files is, in bytes of them on disk: known for compressed files too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pyarrow as pa

from dq.corpus.batches import Batch
from dq.corpus.config import InputSpec
from dq.corpus.documents import Carried
from dq.corpus.formats.base import ColumnFormat
from dq.corpus.inputs import Entry, InputFile, Inputs, find_inputs
from dq.corpus.pieces import Part, parts_of, read_parts
from dq.corpus.places import File
from dq.executors import Step

PART_BYTES = 64 << 20  # uncompressed


class _Reading:
    """How much has been read of files that are opened one after the other."""

    def __init__(self) -> None:
        self._stored: pa.NativeFile | None = None
        self._size = self._done = self._told = 0

    def begin(self, stored: pa.NativeFile, size: int) -> None:
        """A file is opened; the one before has been read."""
        self._done += self._size
        self._stored, self._size = stored, size

    def more(self) -> int:
        """Bytes since this was last asked."""
        at = self._size if self._stored is None or self._stored.closed else self._stored.tell()
        before, self._told = self._told, self._done + at
        return self._told - before


@dataclass(frozen=True)
class _Followed:
    """A file that says when it is opened."""

    opened_together: ClassVar[int] = 1  # one after another

    file: File
    reading: _Reading

    @property
    def name(self) -> str:
        """That of the file."""
        return self.file.name

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.file.size

    @property
    def magic(self) -> bytes:
        """The first bytes."""
        return self.file.magic

    def head(self, size: int) -> bytes:
        """The first bytes."""
        return self.file.head(size)

    def open(self) -> pa.NativeFile:
        """The file."""
        stored = self.file.open()
        self.reading.begin(stored, self.size)
        return stored

    def contents(self) -> str:
        """Those of the file."""
        return self.file.contents()


def input_bytes(inputs: Sequence[Entry] | Inputs) -> int:
    """Bytes on disk of all files of an input."""
    return sum(file.file.size for file in find_inputs(inputs).files)


def followed(
    parts: Iterable[Part], step: Step, *, max_document_bytes: int, carries: Carried = "meta"
) -> Iterator[tuple[InputSpec, Batch]]:
    """The batches of some parts, as `read_parts` gives them.

    The step counts bytes on disk: of a whole file as it is read; of a part of one, which is small, when it has been.
    """
    reading, told, stored, name = _Reading(), 0, 0, ""

    def watched() -> Iterator[Part]:
        nonlocal stored, name
        for one in parts:
            stored, name = stored + one.stored, one.input.name
            yield one if one.part else replace(one, input=replace(one.input, file=_Followed(one.input.file, reading)))

    for spec, batch in read_parts(watched(), max_document_bytes=max_document_bytes, carries=carries):
        yield spec, batch
        read = reading.more()
        told += read
        step.advance(read, detail=batch.files[-1].name)
    step.advance(stored - told, detail=name)


def in_order(files: Sequence[InputFile]) -> Iterator[Part]:
    """All of some files: rows as they stream by, columns in parts of which each is read once."""
    for file in files:
        if isinstance(file.format, ColumnFormat):
            yield from parts_of(file, max_bytes=PART_BYTES)
        else:
            yield Part(file, stored=file.file.size)
