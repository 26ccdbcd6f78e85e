"""The plain bytes of an archive, with where each is stored, and a way past damage.

Crawlers write a gzip member a record, so what a broken member hides ends where the next one begins.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pyarrow as pa

from dq.corpus.formats.compression import PACKED_BYTES, compression_of, decompressed
from dq.corpus.formats.expansion import Expansion
from dq.corpus.places import File

GZIP = b"\x1f\x8b\x08"
PLAIN_BYTES = 1 << 18  # unpacked at a time


class Members(Protocol):
    """Chunks of plain bytes, in order."""

    divided: bool
    """Whether the file has members."""
    offset: int
    """Of the member that the last chunk is of, in bytes of the file as it is stored."""

    def read(self) -> tuple[bytes, bool]:
        """A chunk, and whether it begins a member; empty at the end. A file fault is the exception of who found it."""

    def skip(self) -> bool:
        """Go to what may be the next member behind the last; whether there is one."""


@contextmanager
def members(file: File) -> Iterator[Members]:
    """The members of a gzip file; any other is one member."""
    found = compression_of(file)
    if found is not None and found.name == "gzip":
        with file.open() as stored:
            yield _GzipMembers(stored, Expansion(file.name, file.size))
    else:
        with decompressed(file) as plain:
            yield _OneMember(plain)


class _OneMember:
    """A file that is plain, or compressed as a whole: nothing says where to go on behind damage."""

    divided = False

    def __init__(self, plain: pa.NativeFile) -> None:
        self._plain, self._begun = plain, False
        self.offset = 0

    def read(self) -> tuple[bytes, bool]:
        first, self._begun = not self._begun, True
        return self._plain.read(PLAIN_BYTES), first

    def skip(self) -> bool:
        return False


class _GzipMembers:
    divided = True

    def __init__(self, stored: pa.NativeFile, expansion: Expansion) -> None:
        self._stored, self._expansion = stored, expansion
        self._packed = b""
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._inside = False
        self.offset = 0

    def read(self) -> tuple[bytes, bool]:
        first = False
        while True:
            if not self._inside:
                if not self._begin():
                    return b"", False
                first = True
            if not (packed := self._stream.unconsumed_tail or self._take()):
                raise EOFError("the gzip data ends before its end mark")
            plain = self._stream.decompress(packed, PLAIN_BYTES)
            if self._stream.eof:
                self._packed, self._inside = self._stream.unused_data + self._packed, False
            if plain:
                self._expansion.take(len(plain))
                return plain, first

    def skip(self) -> bool:
        at = self.offset + 1
        self._stored.seek(at)
        held = b""
        while more := self._stored.read(PACKED_BYTES):
            held += more
            if (found := held.find(GZIP)) >= 0:
                self._stored.seek(at + found)
                self._packed, self._inside = b"", False
                return True
            at, held = at + len(held) - 2, held[-2:]
        return False

    def _begin(self) -> bool:
        """Go to where a member begins; zeros between members are padding."""
        self._packed = self._packed.lstrip(b"\0")
        while not self._packed:
            if not (more := self._take()):
                return False
            self._packed = more.lstrip(b"\0")
        self.offset = self._stored.tell() - len(self._packed)
        self._stream, self._inside = zlib.decompressobj(zlib.MAX_WBITS | 16), True
        return True

    def _take(self) -> bytes:
        packed, self._packed = self._packed or self._stored.read(PACKED_BYTES), b""
        return packed
