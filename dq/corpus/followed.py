"""How far the reading of a file is, in bytes of it on disk: known for compressed files too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from dq.corpus.documents import Batch
from dq.corpus.inputs import Entry, InputFile, Inputs, find_inputs
from dq.corpus.places import File


class _Followed:
    """A file that knows how much of it has been read."""

    def __init__(self, file: File) -> None:
        self._file, self._stored, self._read = file, None, 0
        self.name = file.name

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._file.size

    def open(self) -> pa.NativeFile:
        """The file."""
        self._stored = self._file.open()
        return self._stored

    def sha256(self) -> str:
        """SHA-256 of its bytes."""
        return self._file.sha256()

    @property
    def read(self) -> int:
        """Bytes read, at the most."""
        if self._stored is not None and not self._stored.closed:
            self._read = max(self._read, self._stored.tell())
        return self._read


def input_bytes(inputs: Sequence[Entry] | Inputs) -> int:
    """Bytes on disk of all files of an input."""
    return sum(file.file.size for file in find_inputs(inputs).files)


def followed(file: InputFile, told: Callable[[int], object], *, max_document_bytes: int) -> Iterator[Batch]:
    """The batches of a file; ``told`` hears how many bytes each took, which in all are those of the file."""
    following, known = _Followed(file.file), 0
    for batch in replace(file, file=following).batches(max_document_bytes=max_document_bytes):
        yield batch
        now = following.read
        told(now - known)
        known = now
    told(following.size - known)
