"""An output folder belongs to one command with one input and one set of settings; nothing finished is replaced.

The same command finds its result, or goes on with what a kill has left of it. Any other one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dq.errors import WorkspaceError
from dq.store import FolderLock, Stage, read_json

RECORD, STARTED, LOCK = "stage.json", "started.json", ".lock"


@contextmanager
def claimed(stages: Sequence[Stage]) -> Iterator[None]:
    """Hold the folders of some stages, each finished, or begun and ready to be written.

    Raises:
        WorkspaceError: a folder is in use, or holds something else.
    """
    for stage in stages:
        _check(stage)  # before a lock leaves its file there
    with ExitStack() as locks:
        for stage in stages:
            locks.enter_context(FolderLock(stage.folder))
        for stage in stages:
            _check(stage)
        for stage in stages:
            if stage.done() is None:
                stage.start(keep=[LOCK])
            else:  # it may have been killed between its record and this file's end
                (stage.folder / STARTED).unlink(missing_ok=True)
        yield


def _check(stage: Stage) -> None:
    folder, begun = stage.folder, stage.folder / STARTED
    if (folder / RECORD).exists():
        if stage.done() is None:
            raise WorkspaceError(_other(folder, "results"))
    elif begun.exists():
        is_ours = read_json(begun) == {"fingerprint": stage.fingerprint}
        if not is_ours and any(folder.rglob("[0-9]*.parquet")):
            raise WorkspaceError(_other(folder, "unfinished results"))
    elif folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
        raise WorkspaceError(f"{folder}: not an empty folder; name another")


def _other(folder: Path, what: str) -> str:
    return (
        f"{folder}: holds {what} of another command, other inputs or other settings; name another folder, delete "
        "this one, or repeat the command that made it"
    )
