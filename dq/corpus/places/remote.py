"""Files that lie elsewhere, through fsspec: object stores, the Hugging Face hub, the web.

What was listed is what is read: a file is known by its size and what its place says of its contents (an ETag, a
generation, a time), and bytes that may be of another state of it are never handed on. Faults that pass are waited for;
reading goes on at the block that failed. Who may read what is said by the environment and by fsspec's configuration
alone, and no message repeats it.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa

from dq.corpus.addresses import BACKENDS, WEB, has_user, redacted, scheme_of
from dq.corpus.names import spelled
from dq.corpus.places import hub
from dq.corpus.places.base import MAGIC_BYTES, Found
from dq.corpus.places.local import divided
from dq.corpus.places.patience import MissingError, patiently
from dq.corpus.places.patterns import WILD, as_regex
from dq.corpus.places.ranges import Ranges
from dq.corpus.places.s3 import S3, is_configured_for_fsspec
from dq.corpus.places.web import is_listed, links_below, part_of_whole, without_ranges
from dq.errors import InputError, require, require_all
from dq.executors import run_in_threads

VERSIONS = ("ETag", "etag", "generation", "blob_id", "Content-MD5", "md5Hash", "crc32c")
TIMES = ("Last-Modified", "LastModified", "last_modified", "updated", "mtime")
MAX_FILES = 1_000_000  # that an entry may list: each takes a kilobyte
MAX_DEPTH = 100  # of folders: pages of the web may link to one below for ever
LISTING_THREADS = 16


@dataclass(frozen=True)
class RemoteFile:
    """A file as it was when it was listed.

    Attributes:
        scheme: of its place.
        path: as fsspec calls it there; of the web the whole address.
        name: without what an address may hold of credentials.
        size: bytes.
        version: what its place says of its contents, the surest first; none where it says nothing.
    """

    opened_together: ClassVar[int] = 16

    scheme: str
    path: str
    name: str
    size: int
    version: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, scheme: str, info: Mapping[str, Any]) -> RemoteFile:
        """What a listing says.

        Raises:
            InputError: of what has no size nothing can be read by ranges.
        """
        path, size = str(info["name"]), info.get("size")
        name = spelled(redacted(path if scheme in WEB else f"{scheme}://{path}"))
        if size is None or not info.get("partial", True):
            raise InputError(f"{name}: its server gives no ranges of it; download it, and name the file")
        known = tuple((key, str(info[key])) for key in (*VERSIONS, *TIMES) if info.get(key))
        return cls(scheme, path, name, int(size), known)

    @cached_property
    def magic(self) -> bytes:
        """The first bytes."""
        return self.head(MAGIC_BYTES)

    def head(self, size: int) -> bytes:
        """The first bytes, of which `magic` is remembered."""
        found = _Opened(self).fetch(0, min(size, self.size))
        vars(self)["magic"] = found[:MAGIC_BYTES]
        return found

    def open(self) -> pa.NativeFile:
        """The file, read ahead."""
        return pa.PythonFile(Ranges(_Opened(self).fetch, self.size), mode="r")

    def contents(self) -> str:
        """The size and what the place says of the contents; where it says nothing, the bytes themselves are read."""
        if self.version:
            return f"{self.size} bytes, {self.version[0][0]} {self.version[0][1]}"
        return self.sha256()

    def sha256(self) -> str:
        """SHA-256 of its bytes, all of which are read."""
        found, opened = hashlib.sha256(), Ranges(_Opened(self).fetch, self.size)
        with opened:
            while part := opened.read(1 << 20):
                found.update(part)
        return str(found.hexdigest())

    def check(self, info: Mapping[str, Any]) -> None:
        """Refuse another state of the file than was listed.

        Raises:
            InputError: it has changed since.
        """
        known = next(((key, value) for key, value in self.version if key in info), None)
        if info.get("size") != self.size or (known is not None and str(info[known[0]]) != known[1]):
            raise InputError(f"{self.name}: has changed since it was listed; run again when nobody writes there")


class _Opened:
    """A file that is being read; several threads may ask."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._handle: Any = None
        self._has_ranges = True

    def fetch(self, start: int, end: int) -> bytes:
        """The bytes [start, end).

        Raises:
            InputError: the file is gone or changed, or cannot be reached.
        """
        found = b""
        while start + len(found) < end:
            found += patiently(functools.partial(self._some, start + len(found), end), name=self._file.name)
        return found

    def _some(self, start: int, end: int) -> bytes:
        """The first of the bytes [start, end), of the state that was listed."""
        try:
            # Opened anew after a fault; that has tries of its own, or one in five that fail used up those of the bytes.
            handle = self._handle or patiently(self._open, name=self._file.name)
            found = self._range(handle, start, end)
            if "IfMatch" not in getattr(handle, "read_kw", {}):  # else the server itself compares
                self._file.check(_asked("info", self._file.scheme, self._file.path))
        except BaseException:
            self._handle = None
            raise
        if not found:
            raise EOFError("the answer is empty")
        return found[: end - start]

    def _range(self, handle: Any, start: int, end: int) -> bytes:
        try:
            if self._has_ranges:  # else the server is not asked again
                return handle._fetch_range(start, end)  # type: ignore[no-any-return] # what fsspec's own caches call
        except ValueError as error:
            if not without_ranges(error):
                raise
            self._has_ranges = False
        return part_of_whole(_reader(self._file.scheme), self._file, start=start, end=end)

    def _open(self) -> Any:
        file = self._file
        # What is told is not asked for: on the web with another request, and of the hub's client, which remembers.
        size = {"size": file.size} if file.scheme in (*WEB, "hf") else {}
        handle = _reader(file.scheme).open(file.path, "rb", cache_type="none", **size)
        if not size:
            file.check(handle.details)
        self._handle = handle
        return handle


class RemotePlace:
    """Object stores, the hub and the web: the file of an address, the files of a pattern, or those below a folder.

    On the web a folder ends with a slash, and its page has links to what is in it.
    """

    def matches(self, entry: str) -> bool:
        """Whether it begins with one of the known schemes."""
        return bool(scheme_of(entry))

    def files(self, entry: str, *, endings: Sequence[str]) -> Found:
        """As in the folders of this machine, what is hidden is left out."""
        scheme = scheme_of(entry)
        if has_user(entry):
            raise InputError(
                f"{redacted(entry)}: holds a user or a key; leave them to the environment or to fsspec's configuration"
            )
        name = spelled(redacted(entry))
        if not entry.partition("://")[2].strip("/"):
            raise InputError(f"{name}: names nothing; name a bucket, a folder or a file")
        path = str(type(_reader(scheme))._strip_protocol(entry))
        info = None if entry.endswith("/") or is_listed(entry) else _info(scheme, path, name=name)
        if info is not None and info["type"] == "file":
            return Found([RemoteFile.of(scheme, {**info, "name": path})])
        if scheme in WEB and not is_listed(entry):
            return Found([])
        if info is None and WILD.search(path):
            found = [one for one in _matching(scheme, path, name=name) if not _is_hidden(one["name"], path)]
            return Found(_sorted(scheme, found))
        below = {str(one["name"])[len(path) :].lstrip("/"): one for one in _below(scheme, path, name=name)}
        chosen, left_out = divided(name, below, endings=tuple(endings))
        prefix = f"{name.rstrip('/')}/"
        return Found(
            _sorted(scheme, [below[one] for one in chosen]),
            [spelled(prefix + one) for one in sorted(left_out)],
        )


def _sorted(scheme: str, found: Sequence[Mapping[str, Any]]) -> list[RemoteFile]:
    ordered = sorted(found, key=lambda one: str(one["name"]).split("/"))
    if scheme in WEB:  # a page has no sizes
        names = [str(one["name"]) for one in ordered]
        ordered = list(run_in_threads(functools.partial(_linked, scheme), names, threads=LISTING_THREADS))
    return [RemoteFile.of(scheme, one) for one in ordered]


def _linked(scheme: str, path: str) -> dict[str, Any]:
    """What the web says of a file that a page links to."""
    name = spelled(redacted(path))
    return {**patiently(lambda: _asked("info", scheme, path), name=name), "name": path}


def filesystem(scheme: str) -> Any:
    """What fsspec reads and writes a scheme with, in this process."""
    return _made(scheme, os.getpid())


def _reader(scheme: str) -> Any:
    """The same, or what only reads and is ready sooner."""
    return _s3(os.getpid()) if scheme == "s3" and not is_configured_for_fsspec() else filesystem(scheme)


@functools.cache
def _made(scheme: str, _process: int) -> Any:
    """One connection for all threads of a process; nothing that was listed before is believed."""
    require_all(["fsspec", BACKENDS[scheme]])
    return require("fsspec").filesystem(scheme, use_listings_cache=False)


@functools.cache
def _s3(_process: int) -> S3:
    require_all([BACKENDS["s3"]])
    return S3()


def _asked(method: str, scheme: str, path: str) -> Any:
    """What a place says now."""
    if scheme == "hf":
        return hub.asked(method, _reader(scheme), path)
    if method == "ls" and scheme in WEB:
        folder = path.rstrip("/") + "/"
        return list(links_below(folder, _reader(scheme).ls(folder, detail=True)))
    return getattr(_reader(scheme), method)(path, **({"detail": True} if method == "ls" else {}))


def _info(scheme: str, path: str, *, name: str) -> dict[str, Any] | None:
    """What its place says of a path; None where there is nothing."""
    try:
        return patiently(lambda: _asked("info", scheme, path), name=name)  # type: ignore[no-any-return]
    except MissingError:
        return None


def _below(
    scheme: str, root: str, *, name: str, enters: Callable[[str, int], bool] = lambda _folder, _depth: True
) -> Iterator[dict[str, Any]]:
    """Every file below a folder, folder by folder."""

    def listed(folder: str) -> list[dict[str, Any]]:
        try:
            return patiently(lambda: _asked("ls", scheme, folder), name=name)
        except MissingError:
            return []

    level, depth, count = [root], 0, 0
    while level:
        depth += 1
        deeper: dict[str, None] = {}
        for folder, entries in zip(level, run_in_threads(listed, level, threads=LISTING_THREADS), strict=True):
            for one in entries:
                path = str(one["name"]).rstrip("/")
                if path == folder.rstrip("/"):  # what stores keep in place of a folder
                    continue
                count += 1
                if count > MAX_FILES or depth > MAX_DEPTH:
                    raise InputError(f"{name}: lists more than {MAX_FILES:,} files; name a part of them")
                if one["type"] != "directory":
                    yield one
                elif enters(path, depth):
                    deeper[path] = None
        level = list(deeper)


def _matching(scheme: str, pattern: str, *, name: str) -> Iterator[dict[str, Any]]:
    """The files of a pattern; only folders that may hold some are listed."""
    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if WILD.search(part))
    wanted = as_regex(pattern)

    def enters(folder: str, depth: int) -> bool:
        levels = parts[: fixed + depth]
        return "**" in levels or (len(levels) < len(parts) and bool(as_regex("/".join(levels)).fullmatch(folder)))

    found = _below(scheme, "/".join(parts[:fixed]), name=name, enters=enters)
    return (one for one in found if wanted.fullmatch(str(one["name"])))


def _is_hidden(path: str, pattern: str) -> bool:
    """Whether a pattern finds it by a star alone that stands for a dot."""
    return any(part.startswith(".") for part in path.split("/")) and "/." not in f"/{pattern}"
