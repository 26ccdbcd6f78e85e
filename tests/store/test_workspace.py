"""A workspace is a folder that says so; names cannot leave it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.errors import WorkspaceError
from dq.store import Workspace
from tests.processes import finish, python

NAMED: list[Callable[[Workspace, str], Path]] = [
    Workspace.corpus,
    Workspace.signals,
    Workspace.verdicts,
    Workspace.selection,
    Workspace.duplicates,
    Workspace.tokens,
    Workspace.run,
    lambda workspace, name: workspace.study(name, 1),
]


def test_a_new_or_empty_folder_becomes_a_workspace_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/deep"):
        workspace = Workspace(tmp_path / name)
        with pytest.raises(WorkspaceError, match=r"no dq workspace here; make one with `dq run JOB\.yaml`"):
            workspace.existing()
        workspace.create()
        (tmp_path / name / "corpus").mkdir()
        assert workspace.create().existing().root == tmp_path / name


def test_a_folder_of_something_else_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(WorkspaceError, match="not empty and not a dq workspace; name an empty or new folder"):
        Workspace(tmp_path).create()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_or_an_impossible_place_is_refused_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="a file, not a folder; name another workspace"):
        Workspace(tmp_path / "file").create()
    with pytest.raises(WorkspaceError, match="cannot be made: Not a directory; name another workspace"):
        Workspace(tmp_path / "file" / "x").create()


@pytest.mark.parametrize("content", ["{}", '{"format": 2}', '{"folders": []}', "[]"])
def test_the_marker_of_another_program_or_format_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "workspace.json").write_text(content)
    for check in (Workspace(tmp_path).create, Workspace(tmp_path).existing):
        with pytest.raises(WorkspaceError, match="another program or another version of dq"):
            check()


def test_what_a_killed_creation_leaves_does_not_block_the_next(tmp_path: Path) -> None:
    code = "import sys; from dq.store import Workspace; Workspace(sys.argv[1]).create()"
    trap = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from dq.store import Workspace\n"
        "sys.addaudithook(lambda event, _: event == 'os.rename' and os.kill(os.getpid(), signal.SIGKILL))\n"
        "Workspace(sys.argv[1]).create()\n"
    )
    with python(trap, tmp_path) as process:
        assert process.wait(30) == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208
    assert not Workspace(tmp_path).marker.exists()
    assert finish(code, tmp_path).stderr == ""
    assert Workspace(tmp_path).existing()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\x00", "a\n", "a b", "é", "x" * 101, "-x"]
)
@pytest.mark.parametrize("place", NAMED)
def test_a_name_that_could_leave_the_folder_is_refused(place: Callable[[Workspace, str], Path], name: str) -> None:
    with pytest.raises(WorkspaceError, match="not a name; use letters, digits") as caught:
        place(Workspace("w"), name)
    assert "\n" not in str(caught.value)


@given(st.text("abz.-_/\\0 é:\n", max_size=8), st.sampled_from(NAMED))
def test_every_name_is_refused_or_a_direct_child(name: str, place: Callable[[Workspace, str], Path]) -> None:
    try:
        path = place(Workspace("/w"), name)
    except WorkspaceError:
        return
    assert path.resolve().relative_to("/w").parts[1] == name


def test_places_differ(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    places = [place(workspace, "x") for place in NAMED]
    places += [workspace.fates(), workspace.planted(), workspace.heldout(), workspace.tokenizer()]
    assert len(set(places)) == len(places)
