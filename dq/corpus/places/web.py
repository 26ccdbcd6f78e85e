"""What of the web is unlike object stores: folders are pages with links, and some servers give no part of a file.

Of a page only links to what lies below it are followed, on the same host: nothing is asked for that the user's address
does not begin. A file whose server gives no ranges is fetched whole, once a process and file, to a temporary file.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from dq.corpus.addresses import WEB
from dq.errors import InputError

NO_RANGES = "range requests"  # what fsspec's error says where an answer begins elsewhere than was asked
MAX_WHOLE_BYTES = 1 << 30
PART_BYTES = 1 << 20
_ONE_AT_A_TIME = threading.Lock()  # or every thread that reads ahead fetched all of it
_OTHER_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


class OfTheWeb(Protocol):
    """A file as it was listed."""

    @property
    def path(self) -> str:
        """Its address."""

    @property
    def name(self) -> str:
        """The same for people."""

    @property
    def size(self) -> int:
        """Bytes."""


def is_listed(entry: str) -> bool:
    """Whether an address of the web names a folder or a pattern: all else is a file, also what holds a query."""
    scheme, _, rest = entry.partition("://")
    is_of_many = rest.endswith("/") or "*" in rest.partition("/")[2]
    return scheme in WEB and is_of_many and not set(rest) & set("?#")


def links_below(folder: str, listed: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What fsspec found of links in a folder's page, without those that lead elsewhere or only sort the page."""
    root, seen = folder.rstrip("/") + "/", set()
    for one in listed:
        below = str(one["name"]).removeprefix(root).removeprefix("./")
        is_elsewhere = not str(one["name"]).startswith(root) or _OTHER_SCHEME.match(below)
        path = unquote(below).rstrip("/")
        if is_elsewhere or not path or set(below) & set("?#") or {"", ".", ".."} & set(path.split("/")) or path in seen:
            continue
        seen.add(path)
        yield {**one, "name": root + below}


def without_ranges(error: Exception) -> bool:
    """Whether fsspec says that a server gives whole files only."""
    return isinstance(error, ValueError) and NO_RANGES in str(error)


def part_of_whole(web: Any, file: OfTheWeb, *, start: int, end: int) -> bytes:
    """The bytes [start, end) of a file that its server gives whole; ``web`` is fsspec's.

    Raises:
        InputError: it is too large for that.
    """
    if file.size > MAX_WHOLE_BYTES:
        raise InputError(f"{file.name}: its server gives no ranges of it; download it, and name the file")
    with _ONE_AT_A_TIME:
        whole: _Whole = _whole(web, file, os.getpid())  # type: ignore[arg-type] # a frozen dataclass has a hash
        return os.pread(whole.number, end - start, start)


class _Whole:
    """A temporary file without a name, which is closed when nobody remembers it."""

    def __init__(self) -> None:
        number, name = tempfile.mkstemp()
        Path(name).unlink()
        self.number, self.size = number, 0
        weakref.finalize(self, os.close, number)

    def write(self, part: bytes) -> None:
        """Append."""
        while part:
            done = os.write(self.number, part)
            part, self.size = part[done:], self.size + done


@functools.lru_cache(maxsize=1)
def _whole(web: Any, file: Any, _process: int) -> _Whole:
    """All of a file: whether it is what was listed is for who asks to find out."""
    kept = _Whole()
    with web.open(file.path, "rb", block_size=0) as answer:
        while kept.size <= file.size and (part := answer.read(PART_BYTES)):
            kept.write(part)
    if kept.size != file.size:
        raise EOFError(f"{kept.size} of {file.size} bytes came")
    return kept
