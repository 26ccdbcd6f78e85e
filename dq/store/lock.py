"""One writer a folder. The lock is the kernel's (flock): it ends with its process, however that ends.

Who takes it removes what killed writers have left in the folder, and its file goes when it is given back.

The descriptor is not inherited across exec, and workers come from a fork server, so no worker holds the lock.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from dq.errors import WorkspaceError
from dq.store.contents import LOCK, sweep


class FolderLock:
    """``with FolderLock(folder):`` or a WorkspaceError that names the process holding it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._descriptor: int | None = None

    def __enter__(self) -> FolderLock:
        while not self._is_there(descriptor := self._locked()):
            os.close(descriptor)  # who held it has just removed it: the file of that name is another one now
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        with suppress(OSError):  # a full disk: the lock holds, and who is refused is not told by whom
            os.write(descriptor, f"{os.getpid()}\n".encode())
        sweep(self.path.parent)
        return self

    def _locked(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise WorkspaceError(
                f"{self.path.parent}: cannot be locked: {error.strerror}; name another folder"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise WorkspaceError(
                f"{self.path.parent}: in use by process {holder}; wait for it to end, or stop it"
            ) from None
        return descriptor

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)  # while it is held
            os.close(self._descriptor)
            self._descriptor = None


def holder(folder: Path) -> int | None:
    """The living process of this machine that holds a folder's lock. Nothing is locked, not even for a moment."""
    try:
        process = int((folder / LOCK).read_text("ascii"))
        os.kill(process, 0)
    except PermissionError:  # it lives, as another user's
        return process
    except (OSError, ValueError, OverflowError):
        return None
    return process
