"""Files of this machine: a path, a pattern, or a folder with all that is in it."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePath, PurePosixPath
from typing import ClassVar

import pyarrow as pa

from dq.corpus.names import spelled
from dq.corpus.places.base import MAGIC_BYTES, Found
from dq.corpus.quarantine import QUARANTINE
from dq.errors import InputError
from dq.store import Workspace, file_sha256
from dq.store.contents import RECORD

OWN = (RECORD, "started.json", "filter.json", QUARANTINE)
"""What dq writes, or once wrote, beside documents; quarantines also as ``<name>.quarantined.jsonl``."""
CARD = "croissant.json"
OF_A_DATASET = ("manifest.json", "tokenizer.json", "README.md", CARD)
"""What dq writes beside documents that it publishes: data as any other where there is no `CARD`."""
OF_A_SENDING = SENT, SENDING = ("sent.json", "sending.json")
"""What dq writes beside a record that it sends to a bucket, when it is there and before: data where there is none."""
MARKS = ("_", ".")
"""What the names of files begin with that other programs leave beside their results: `_SUCCESS`, `.gitattributes`."""
MAC = ("__MACOSX", "._")  # folders and files of attributes that a Mac adds to archives, under the names of real files


@dataclass(frozen=True)
class LocalFile:
    """A file by its path."""

    opened_together: ClassVar[int] = 1

    path: Path

    @cached_property
    def name(self) -> str:
        """The path, as it was given; what no id can hold of it is spelled out."""
        return spelled(self.path.as_posix())

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._regular[1]

    @cached_property
    def _regular(self) -> tuple[Path, int]:
        """The path and size of what is a file, looked at once: of a corpus in many small files, looking costs most.

        A pipe is no file: documents are read more than once, and what is in a pipe is gone then.
        """
        status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{self.path}: not a regular file; write what it holds to a file, and name that")
        return self.path, status.st_size

    @cached_property
    def magic(self) -> bytes:
        """The first bytes."""
        return self.head(MAGIC_BYTES)

    def head(self, size: int) -> bytes:
        """The first bytes, of which `magic` is remembered: of a small file, opening costs most."""
        path, _ = self._regular
        with path.open("rb", buffering=0) as stored:
            found = stored.read(size)
        vars(self)["magic"] = found[:MAGIC_BYTES]
        return found

    def open(self) -> pa.NativeFile:
        """The file, where it is one."""
        path, _ = self._regular
        return pa.OSFile(os.fsencode(path))

    def contents(self) -> str:
        """SHA-256 of its bytes."""
        try:
            return file_sha256(self.path)
        except OSError as error:
            raise InputError(
                f"{self.name}: cannot be read: {error.strerror}; repair it, or take it out of the input"
            ) from None


class LocalPlace:
    """What is on the disks of this machine. A path that exists is itself, whatever brackets it holds."""

    def matches(self, entry: str) -> bool:
        """Whatever is there, and whatever is no address (`scheme://`)."""
        return "://" not in entry or os.path.lexists(entry)

    def files(self, entry: str, *, endings: Sequence[str]) -> Found:
        """The file of a path, the files of a pattern, or those of a folder and the folders in it.

        In folders, hidden files and folders are left out, and what dq writes beside documents; all of these are read
        where an entry names them.
        """
        path = Path(entry)
        if path.is_dir():
            return _in_folder(path, tuple(endings))
        names = [entry] if os.path.lexists(entry) else glob.glob(_pattern(entry), recursive=True)  # noqa: PTH207
        if entry == "-" and not names:
            raise InputError("-: standard input is not read; write it to a file, and name that")
        return Found([LocalFile(found) for found in sorted(map(Path, names)) if not found.is_dir()])


def _pattern(entry: str) -> str:
    """A pattern in which the folders that exist are themselves, whatever brackets their names hold."""
    existing = next((folder for folder in Path(entry).parents if folder.is_dir()), Path())
    return os.path.join(glob.escape(os.fspath(existing)), os.fspath(Path(entry).relative_to(existing)))  # noqa: PTH118


def _in_folder(root: Path, endings: tuple[str, ...]) -> Found:
    found: list[Path] = []
    left_out: list[Path] = []
    seen: set[tuple[int, int]] = set()  # a link may lead back to a folder above it
    for folder, names, files in os.walk(root, followlinks=True, onerror=_unlistable):
        if Workspace(folder).marker.exists():
            raise InputError(f"{folder}: a workspace; name what to read of it, such as {Path(folder) / 'kept'}")
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            names.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        names.sort()
        within = Path(folder).relative_to(root).parts
        hidden = _is_hidden(within)
        for name in files:
            is_data, is_own = name.lower().endswith(endings), _is_own(name, beside=files)
            if is_data and not hidden and not name.startswith(".") and not is_own:
                found.append(Path(folder, name))
            elif not is_own and not _is_mark(Path(folder, name).relative_to(root), is_data=is_data):
                left_out.append(Path(folder, name))
    in_order = sorted(found, key=attrgetter("parts"))  # as paths compare, each taken apart once
    return Found([LocalFile(path) for path in in_order], [spelled(path.as_posix()) for path in sorted(left_out)])


def divided(root: str, names: Collection[str], *, endings: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Names below a folder that lies elsewhere: those that are read, and those that are not and may be missed.

    Raises:
        InputError: it is a workspace, or holds one.
    """
    found: list[str] = []
    left_out: list[str] = []
    beside: dict[PurePosixPath, set[str]] = {}
    for path in map(PurePosixPath, names):
        if path.name in (CARD, RECORD):
            beside.setdefault(path.parent, set()).add(path.name)
    for name in names:
        path = PurePosixPath(name)
        if path.name == Workspace(Path()).marker.name:
            raise InputError(f"{root}: a workspace; name what to read of it, such as {root.rstrip('/')}/kept")
        is_data, is_own = name.lower().endswith(endings), _is_own(path.name, beside=beside.get(path.parent, ()))
        if is_data and not _is_hidden(path.parts) and not is_own:
            found.append(name)
        elif not is_own and not _is_mark(path, is_data=is_data):
            left_out.append(name)
    return found, left_out


def _is_hidden(parts: Sequence[str]) -> bool:
    return MAC[0] in parts or any(part.startswith(".") for part in parts)


def _is_own(name: str, *, beside: Collection[str]) -> bool:
    of_dataset = name in OF_A_DATASET and CARD in beside
    of_sending = name in OF_A_SENDING and RECORD in beside
    return name in OWN or name.endswith(f".{QUARANTINE}") or of_dataset or of_sending


def _is_mark(path: PurePath, *, is_data: bool) -> bool:
    """Whether a file that is not read is none that anybody would miss."""
    if MAC[0] in path.parts or path.name.startswith(MAC[1]):
        return True
    return not is_data and any(part.startswith(MARKS) for part in path.parts)


def _unlistable(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read: {error.strerror}; repair it, or name the files beside it")
