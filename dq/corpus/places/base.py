"""What a place is: a text that a user writes becomes files, and a file is opened where it is read.

A place knows nothing of formats but the endings of their names, and a format nothing of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import pyarrow as pa

MAGIC_BYTES = 6  # tell how a file is compressed


class File(Protocol):
    """A file, wherever it lies: its name and how to reach it. A frozen dataclass: it is sent to whoever reads it."""

    opened_together: ClassVar[int]
    """How many such files are best opened at a time: where one waits for a network, many."""

    @property
    def name(self) -> str:
        """What ids, quarantines and records call it; UTF-8 on one line."""

    @property
    def size(self) -> int:
        """Bytes, as it lies there."""

    @property
    def magic(self) -> bytes:
        """Its first `MAGIC_BYTES` bytes, read once, as `head` reads them."""

    def head(self, size: int) -> bytes:
        """Its first bytes, at most ``size``. A file fault is the exception of who found it."""

    def open(self) -> pa.NativeFile:
        """The bytes, from any position. A file fault is the exception of who found it."""

    def contents(self) -> str:
        """What the bytes are known by in records: their SHA-256 (hex), or what a place says of them without a reading.

        Raises:
            InputError: it cannot be read, or has no name that it could be called by.
        """


def opened_together(files: Iterable[File]) -> int:
    """How many of some files are opened at a time."""
    return max((file.opened_together for file in files), default=1)


@dataclass(frozen=True)
class Found:
    """The files that an entry means, sorted, and the names of those that lie among them and are not read."""

    files: Sequence[File]
    left_out: Sequence[str] = ()


class Place(Protocol):
    """Yields the files that an entry of the input means."""

    def matches(self, entry: str) -> bool:
        """Whether an entry, such as a path or an address, is one of this place."""

    def files(self, entry: str, *, endings: Sequence[str]) -> Found:
        """The files of an entry; none where there are none.

        Args:
            entry: of this place. What it names is read whatever it is called.
            endings: of names that a folder is searched for, in lower case.

        Raises:
            InputError: the entry means something that holds no documents, or that cannot be reached: nobody else
                translates what a place's own library raises.
        """
