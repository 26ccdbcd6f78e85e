"""Compressed files, told by their first bytes whatever their names say: gzip, Zstandard, bzip2, xz.

Zstandard windows are read up to the format's usual limit, 2 GB (`zstd --long=31`, as the Reddit dumps have it), and xz
dictionaries up to as much; a reader holds that much of a file that asks for it.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

import pyarrow as pa

from dq.corpus.formats.expansion import Expansion
from dq.corpus.places import File
from dq.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError)
"""What unpacking a damaged file raises."""
DAMAGE = (EOFError, zlib.error, zstd.ZstdError)
"""Those of them that a stream raises for itself alone."""
MAX_WINDOW_LOG = 31
MAX_XZ_BYTES = 2 << 30
TEXT_RATIO = 4  # about what text is compressed by
PACKED_BYTES = 1 << 17  # read at a time
SKIPPABLE = tuple(bytes([0x50 + kind, 0x2A, 0x4D, 0x18]) for kind in range(16))  # Zstandard frames of no data

DICTIONARY = SKIPPABLE[0xD]  # of crawls: the frame in front whose data is the dictionary of all others, or that packed
DICTIONARY_MAGIC = b"\x37\xa4\x30\xec"
MAX_DICTIONARY_BYTES = 64 << 20


@dataclass(frozen=True)
class Compression:
    """A way to compress: what files begin with, and the object that unpacks one stream (as `bz2` has it)."""

    name: str
    endings: tuple[str, ...]
    magic: tuple[bytes, ...]
    stream: Callable[[], Any]
    compress: Callable[[bytes], bytes]


def _zstd_stream(dictionary: Any = None) -> Any:
    return zstd.ZstdDecompressor(dictionary, {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG})


def _xz_stream() -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_BYTES)


class _GzipStream:
    """One member of a gzip file, as the other modules' objects are: zlib's own keeps its input outside."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decompress(self, packed: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + packed, max_length)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


COMPRESSIONS = (
    Compression("gzip", (".gz",), (b"\x1f\x8b",), _GzipStream, gzip.compress),
    Compression("Zstandard", (".zst", ".zstd"), (b"\x28\xb5\x2f\xfd", *SKIPPABLE), _zstd_stream, zstd.compress),
    Compression("bzip2", (".bz2",), (b"BZh",), bz2.BZ2Decompressor, bz2.compress),
    Compression("xz", (".xz",), (b"\xfd7zXZ\x00",), _xz_stream, lzma.compress),
)
"""Every compression that dq reads; the command lines' usual levels."""
PACKED_ENDINGS = tuple(ending for one in COMPRESSIONS for ending in one.endings)


def compression_of(file: File) -> Compression | None:
    """How a file is compressed; None where it is not."""
    return next((one for one in COMPRESSIONS if file.magic.startswith(one.magic)), None)


@contextmanager
def decompressed(file: File) -> Iterator[IO[bytes]]:
    """The plain bytes of a file. What is compressed cannot be sought in, and is refused where it swells without end."""
    found = compression_of(file)
    with file.open() as stored:
        if found is None:
            yield stored
            return
        if file.magic.startswith(DICTIONARY):
            found = _with_dictionary(found, stored, name=file.name)
        yield Unpacked(stored, found, Expansion(file.name, file.size))  # type: ignore[misc]


def _with_dictionary(found: Compression, stored: pa.NativeFile, *, name: str) -> Compression:
    """Zstandard by the dictionary that a crawl begins with (https://iipc.github.io/warc-specifications).

    Raises:
        InputError: it is damaged.
    """
    size = int.from_bytes(stored.read(8)[4:], "little")
    content = stored.read(min(size, MAX_DICTIONARY_BYTES))
    stored.seek(0)
    try:
        if content.startswith(found.magic[0]):
            content = _zstd_stream().decompress(content, MAX_DICTIONARY_BYTES)
        if not content.startswith(DICTIONARY_MAGIC):
            return found
        stream = functools.partial(_zstd_stream, zstd.ZstdDict(content))
        stream()
    except (ValueError, zstd.ZstdError):
        raise InputError(
            f"{name}: the Zstandard dictionary in front is damaged; replace the file, or leave it out of the input"
        ) from None
    return replace(found, stream=stream)


@contextmanager
def seekable(file: File) -> Iterator[pa.NativeFile]:
    """The plain bytes of a file, from any position: a compressed one is unpacked aside."""
    if compression_of(file) is None:
        with file.open() as stored:
            yield stored
        return
    with tempfile.TemporaryFile() as aside, decompressed(file) as plain:
        shutil.copyfileobj(plain, aside, 1 << 20)
        aside.seek(0)
        yield pa.PythonFile(aside, mode="r")


class Unpacked(io.RawIOBase):
    """The streams of a compressed file, one behind the other; zeros between and behind them are padding.

    No more is unpacked than is asked for, however much a few bytes stand for, and a read is of one stream.
    """

    def __init__(self, stored: pa.NativeFile, compression: Compression, expansion: Expansion) -> None:
        self._stored, self._compression, self._expansion = stored, compression, expansion
        self._stream: Any = compression.stream()
        self._packed = b""
        self.offset = 0
        """Where in the file the stream begins that was read last."""

    def read(self, size: int = -1) -> bytes:
        """At least a byte, at most ``size``; none at the end."""
        while True:
            if self._stream.eof and not self._next_stream():
                return b""
            if self._stream.needs_input and not self._packed:
                self._packed = self._stored.read(PACKED_BYTES)
                if not self._packed:
                    raise EOFError(f"the {self._compression.name} data ends before its end mark")
            packed, self._packed = self._packed, b""
            plain: bytes = self._stream.decompress(packed, size)
            if plain:
                self._expansion.take(len(plain))
                return plain

    def _next_stream(self) -> bool:
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest:
            if not (more := self._stored.read(PACKED_BYTES)):
                return False
            rest = more.lstrip(b"\0")
        self._begin(self._stored.tell() - len(rest), rest)
        return True

    def skip_stream(self) -> bool:
        """Go to what may be the next stream behind the begin of the last, which is damaged; whether there is one."""
        at, held, magic = self.offset + 1, b"", self._compression.magic[0]
        self._stored.seek(at)
        while more := self._stored.read(PACKED_BYTES):
            held += more
            if (found := held.find(magic)) >= 0:
                self._begin(at + found, held[found:])
                return True
            at, held = at + len(held) - len(magic) + 1, held[1 - len(magic) :]
        return False

    def _begin(self, offset: int, packed: bytes) -> None:
        self._stream, self._packed, self.offset = self._compression.stream(), packed, offset


def unpacked_bytes(file: File) -> int:
    """About how many bytes a file has when it is unpacked."""
    return file.size if compression_of(file) is None else TEXT_RATIO * file.size


def compressed_bytes(file: File, plain: bytes) -> int:
    """How many bytes these would be, compressed as a file is."""
    found = compression_of(file)
    return len(plain) if found is None else len(found.compress(plain))
