"""One writer a folder, shown with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dq.errors import WorkspaceError
from dq.executors import LocalExecutor
from dq.store import FolderLock
from tests.processes import finish, python, until

HOLDER = """
import sys, time
from pathlib import Path
from dq.store import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
SECOND = """
import sys
from pathlib import Path
from dq.errors import WorkspaceError
from dq.store import FolderLock
try:
    with FolderLock(Path(sys.argv[1])):
        print("held")
except WorkspaceError as error:
    print(error)
"""


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        said = finish(SECOND, tmp_path).stdout
        assert said == f"{tmp_path}: in use by process {os.getpid()}; wait for it to end, or stop it\n"
    assert finish(SECOND, tmp_path).stdout == "held\n"


def test_a_lock_ends_with_its_process_even_when_it_is_killed(tmp_path: Path) -> None:
    with python(HOLDER, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceError, match=f"in use by process {process.pid};"):
            FolderLock(tmp_path).__enter__()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with FolderLock(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_two_locks_of_one_process_exclude_each_other_and_two_folders_do_not(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "a"), FolderLock(tmp_path / "b"), pytest.raises(WorkspaceError, match="in use"):
        FolderLock(tmp_path / "a").__enter__()
    with FolderLock(tmp_path / "a"):
        pass


def test_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), FolderLock(tmp_path):
        raise RuntimeError
    with FolderLock(tmp_path):
        pass


def note_open_files(path: Path) -> None:
    """Write which files this process holds open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    path.write_text("\n".join(found))


def test_a_worker_holds_no_lock_of_its_parent(tmp_path: Path) -> None:
    paths = [tmp_path / "here", tmp_path / "in one worker", tmp_path / "in another"]
    with FolderLock(tmp_path):
        note_open_files(paths[0])
        LocalExecutor(2).run(note_open_files, paths, output=lambda path: path)
    assert [".lock" in path.read_text() for path in paths] == [True, False, False]


def test_a_killed_parent_frees_the_folder_while_its_child_still_runs(tmp_path: Path) -> None:
    code = HOLDER.replace("    print(", "    import subprocess\n    subprocess.Popen(['sleep', '5'])\n    print(")
    with python(code, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with FolderLock(tmp_path):
            pass
        os.killpg(process.pid, signal.SIGKILL)


def test_a_folder_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match=r"file: cannot be locked: File exists; name another folder"):
        FolderLock(tmp_path / "file").__enter__()
    with pytest.raises(WorkspaceError, match=r"cannot be locked: Not a directory"):
        FolderLock(tmp_path / "file" / "x").__enter__()


def test_only_one_of_many_processes_gets_the_folder(tmp_path: Path) -> None:
    with python(HOLDER, tmp_path) as first, python(HOLDER, tmp_path) as second:
        until(lambda: first.poll() is not None or second.poll() is not None)
        assert sorted([first.poll() is None, second.poll() is None]) == [False, True]
