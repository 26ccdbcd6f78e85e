"""What a format is: the endings of its names, how a file is cut into pieces, and how a piece becomes documents.

A format is one class in one module, named once in ``FORMATS``. It reads bytes wherever they lie (``File.open``). Most
have rows (`RowFormat`), and which document a row makes, and what is wrong with it, is said by `dq.corpus.documents`;
one of columns makes batches itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from dq.corpus.batches import Batch
from dq.corpus.config import InputSpec
from dq.corpus.documents import BadRow, Origin, PassedOver, Row
from dq.corpus.formats.compression import unpacked_bytes
from dq.corpus.places import File

Part = TypeVar("Part")
"""A piece of a file, as its format names it."""


class Format(ABC, Generic[Part]):
    """Files of one kind: a `RowFormat` or a `ColumnFormat`."""

    endings: ClassVar[tuple[str, ...]] = ()
    """What their names end with, before that of a compression; none where another format's names hold them too."""
    sample_ending: ClassVar[str] = ".jsonl"
    """How a forecast stores the sample that stands for them: what it reads about as fast."""

    def for_entry(self, spec: InputSpec) -> Format[Part]:  # noqa: ARG002
        """The same format, with what an entry of the input says of it.

        Raises:
            MissingExtraError: it needs a library that is not installed.
        """
        return self

    def cut(self, file: File, *, max_bytes: int) -> list[tuple[Part | None, int]]:  # noqa: ARG002
        """Parts of about ``max_bytes``, in order, each with its size when it is unpacked, or about that.

        None is the whole. What they hold depends on the file alone.
        """
        return [(None, unpacked_bytes(file))]

    def count_rows(self, file: File) -> int | None:  # noqa: ARG002
        """Its rows, where the file says so without being read."""
        return None


class RowFormat(Format[Part]):
    """Reads files row by row; rows of many small files make one batch."""

    @abstractmethod
    def rows(
        self, file: File, *, max_document_bytes: int, part: Part | None = None
    ) -> Iterator[Row | BadRow | PassedOver]:
        """The rows of a file, in order, and what is beside them and is counted.

        A file fault is the exception of who found it.

        Args:
            file: of this format.
            max_document_bytes: longest text, in bytes of UTF-8.
            part: read only so much of it.
        """


class ColumnFormat(Format[Part]):
    """Reads files in columns."""

    @abstractmethod
    def batches(
        self, file: File, origin: Origin, *, max_document_bytes: int, part: Part | None = None
    ) -> Iterator[Batch]:
        """The documents of a file, in order, in batches of about 8 MB.

        A file fault is the exception of who found it.

        Args:
            file: of this format.
            origin: how its rows are named.
            max_document_bytes: longest text, in bytes of UTF-8.
            part: read only so much of it.

        Raises:
            InputError: it has no texts.
        """
