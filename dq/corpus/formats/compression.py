"""Files that are compressed or not, by the last ending of their names: none, .gz, .zst."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow as pa

from dq.corpus.places import File

COMPRESSIONS = ("", ".gz", ".zst")
GZIP_LEVEL, ZSTD_LEVEL = 6, 3  # the defaults of their command lines


@contextmanager
def decompressed(file: File) -> Iterator[IO[bytes]]:
    """The plain bytes of a file."""
    with file.open() as stored:
        if file.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=stored) as plain:
                yield plain  # type: ignore[misc]
        elif file.name.endswith(".zst"):
            with pa.CompressedInputStream(stored, "zstd") as plain:
                yield plain
        else:
            yield stored


def compressed_bytes(name: str, plain: bytes) -> int:
    """How many bytes these would be in a file of such a name."""
    if name.endswith(".gz"):
        return len(zlib.compress(plain, GZIP_LEVEL))
    if name.endswith(".zst"):
        return int(pa.Codec("zstd", compression_level=ZSTD_LEVEL).compress(plain).size)
    return len(plain)
