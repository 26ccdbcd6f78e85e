"""What may be sent: the files of a folder that a command has finished, and what is told of the sending."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dq.errors import WorkspaceError
from dq.results import Result
from dq.store import Workspace, check_files, read_record
from dq.store.contents import RECORD, STARTED


@dataclass(frozen=True)
class SendResult(Result):
    """What `send` did, or of a dry run what it would do.

    Attributes:
        address: where the files are.
        files: how many are there.
        bytes: in all of them.
        sent: files that were not there before.
        deleted: files that were there before, and are not now.
        private: whether only some may read them; None where `send` has no say in it.
    """

    address: str
    files: int
    bytes: int
    sent: int
    deleted: int = 0
    private: bool | None = None


def finished_files(folder: Path) -> list[str]:
    """The files of a finished folder, the record of a stage last.

    Raises:
        WorkspaceError: it is not finished, holds links, or is a workspace.
    """
    if not folder.is_dir():
        raise WorkspaceError(f"{folder}: no such file or folder; name what a command has made")
    if Workspace(folder).marker.exists():
        raise WorkspaceError(f"{folder}: a workspace, which stays on this machine; send what is wanted of it, such as "
                             f"{folder / 'kept'}")  # fmt: skip
    if (folder / STARTED).exists():
        raise WorkspaceError(f"{folder}: not finished; run the command that makes it to its end first")
    if (folder / RECORD).exists():
        record = read_record(folder)
        check_files(folder, record)
        # Of the card, which is its owner's, nothing was checked.
        return [*(name for name in record.files if (folder / name).exists()), RECORD]
    found = sorted(path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.parts[-1:]))
    if links := [path for path in found if path.is_symlink()]:
        raise WorkspaceError(f"{links[0]}: a link; put the file itself there")
    names = [path.relative_to(folder).as_posix() for path in found if path.is_file()]
    if not names:
        raise WorkspaceError(f"{folder}: holds no files; name what a command has made")
    return names
