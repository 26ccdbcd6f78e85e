"""Files of this machine: a path, a pattern, or a folder with all that is in it."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dq.corpus.places.base import File
from dq.corpus.quarantine import QUARANTINE
from dq.errors import InputError
from dq.store import Workspace, file_sha256

OWN = ("stage.json", "started.json", "filter.json", QUARANTINE)
"""What dq writes, or once wrote, beside documents; quarantines also as ``<name>.quarantined.jsonl``."""


@dataclass(frozen=True)
class LocalFile:
    """A file by its path."""

    path: Path

    @property
    def name(self) -> str:
        """The path, as it was given."""
        return self.path.as_posix()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def open(self) -> pa.NativeFile:
        """The file."""
        return pa.OSFile(os.fspath(self.path))

    def sha256(self) -> str:
        """SHA-256 of its bytes; only a regular file whose name is text has one."""
        if any(char < " " or "\ud800" <= char <= "\udfff" for char in self.name):
            raise InputError(
                f"{self.name!r}: a file's name must be UTF-8 on one line, ids are made from it; rename the file"
            )
        try:
            if not self.path.exists() or self.path.is_file():
                return file_sha256(self.path)
        except OSError as error:
            reason = error.strerror
            raise InputError(f"{self.path}: cannot be read: {reason}; repair it, or take it out of the input") from None
        raise InputError(f"{self.path}: not a regular file; copy what it holds into one")


class LocalPlace:
    """What is on the disks of this machine. A path that exists is itself, whatever brackets it holds."""

    def matches(self, entry: str) -> bool:
        """Whatever is there, and whatever is no address (`scheme://`)."""
        return "://" not in entry or os.path.lexists(entry)

    def files(self, entry: str, *, endings: Sequence[str]) -> list[File]:
        """The file of a path, the files of a pattern, or those of a folder and the folders in it.

        In folders, hidden files and folders are left out, and what dq writes beside documents; all of these are read
        where an entry names them.
        """
        path = Path(entry)
        if path.is_dir():
            return [LocalFile(found) for found in sorted(_in_folder(path, tuple(endings)))]
        names = [entry] if os.path.lexists(entry) else glob.glob(_pattern(entry), recursive=True)  # noqa: PTH207
        return [LocalFile(found) for found in sorted(map(Path, names)) if not found.is_dir()]


def _pattern(entry: str) -> str:
    """A pattern in which the folders that exist are themselves, whatever brackets their names hold."""
    existing = next((folder for folder in Path(entry).parents if folder.is_dir()), Path())
    return os.path.join(glob.escape(os.fspath(existing)), os.fspath(Path(entry).relative_to(existing)))  # noqa: PTH118


def _in_folder(root: Path, endings: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()  # a link may lead back to a folder above it
    for folder, names, files in os.walk(root, followlinks=True):
        if Workspace(folder).marker.exists():
            raise InputError(f"{folder}: a workspace; name what to read of it, such as {Path(folder) / 'kept'}")
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            names.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        names[:] = sorted(name for name in names if not name.startswith("."))
        found += [
            Path(folder, name)
            for name in files
            if name.endswith(endings) and not (name.startswith(".") or name in OWN or name.endswith(f".{QUARANTINE}"))
        ]
    return found
