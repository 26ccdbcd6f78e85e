"""An output folder belongs to one command with one input and one set of settings; nothing finished is replaced.

The same command finds its result, or goes on with what a kill has left of it. Any other one is refused; with
``overwrite`` one of the same command replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dq.errors import WorkspaceError
from dq.store.contents import LOCK, RECORD, STARTED
from dq.store.files import PARTIAL, read_json
from dq.store.lock import FolderLock
from dq.store.stage import Stage, check_files, read_record


@contextmanager
def claimed(stages: Sequence[Stage], *, overwrite: bool = False) -> Iterator[None]:
    """Hold the folders of some stages, each finished, or begun and ready to be written.

    Raises:
        WorkspaceError: a folder is in use, or holds something else.
    """
    for stage in stages:
        _check(stage, overwrite=overwrite)  # before a lock leaves its file there
    with ExitStack() as locks:
        for stage in stages:
            locks.enter_context(FolderLock(stage.folder))
        for stage in stages:
            _check(stage, overwrite=overwrite)
        for stage in stages:
            if (record := stage.done()) is None:
                stage.start(keep=[LOCK])
            else:
                check_files(stage.folder, record)
        yield


def _check(stage: Stage, *, overwrite: bool) -> None:
    folder = stage.folder
    if (folder / RECORD).exists():
        if stage.done() is None and not (overwrite and read_record(folder).stage == stage.name):
            raise _other(folder, "results")
    elif (folder / STARTED).exists():
        started = read_json(folder / STARTED)
        mine = started.get("stage") == stage.name
        begun = started.get("fingerprint") not in (stage.fingerprint, "")  # "": it was being cleared
        has_work = any(not _is_litter(path) and path.name != STARTED for path in folder.iterdir())
        if (begun and has_work and not (overwrite and mine)) or not (mine or "stage" not in started):
            raise _other(folder, "unfinished results")
    elif folder.exists() and (not folder.is_dir() or not all(_is_litter(path) for path in folder.iterdir())):
        raise WorkspaceError(f"{folder}: not an empty folder; name another")


def _is_litter(path: Path) -> bool:
    """What is left of a command that was killed before it had begun."""
    return path.name == LOCK or PARTIAL.fullmatch(path.name) is not None


def _other(folder: Path, what: str) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: holds {what} of another command, other inputs or other settings; name another folder, repeat the "
        "command that made it, or, if it was the same command, replace it: `overwrite`",
        field="overwrite",
    )
