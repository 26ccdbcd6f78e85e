"""One document's whole history, read from what each command leaves, against the tables that it is made of."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dq.errors import ConfigError, WorkspaceError
from dq.files import dedup_files, filter_files
from dq.inspect import document_history
from dq.jobs import run_job
from dq.quality import Rule, RuleSet
from dq.stages.base import View
from dq.stages.fates import FATES, Fates
from dq.stages.read import Documents
from dq.stages.selection import DeduplicationConfig, Selected
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import Workspace
from tests.command import run_dq
from tests.jobs.workspaces import small_job

RULES = RuleSet(name="long", rules=(Rule(signal="word_count", minimum=200, reason="too_short"),))


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    folder = tmp_path_factory.mktemp("history")
    return View.of(run_job(small_job(folder), Workspace(folder / "ws")).workspace)


def test_a_document_of_every_fate_is_told_as_the_tables_have_it(view: View) -> None:
    documents, fate = view.open(Documents).documents, view.open(Fates).fate
    verdicts, selected = view.open(Verdicts).table(), view.open(Selected).table()
    signals, lengths = view.open(Signals).table(), view.open(TokenPool).lengths
    for name in FATES:
        number = fate.to_list().index(name)
        (found,) = document_history(view.workspace.root, documents["id"][number])
        assert (found.fate, found.source) == (name, documents["source"][number])
        assert found.text == view.open(Documents).text_of(number)
        assert [one.reason for one in found.failing] == verdicts["reasons"][number].to_list()
        for one in found.failing:
            assert one.value == signals[str(one.signal)][number] and one.accepted
        assert found.tokens == lengths[number]
        assert found.version_bytes == {"original": documents["n_bytes"][number]}
        assert (found.near_heldout is not None) == (name == "excluded")
        if name == "removed":
            assert found.duplicate_of is not None and found.duplicate_of.kept
            assert found.duplicate_of.similarity == selected["similarity"][number] >= 0.8
    (leak,) = document_history(view.workspace.root, "leak")
    assert leak.near_heldout is not None and leak.near_heldout.startswith("essay-3 of set essays: ")


def test_deduplicated_files_have_the_same_history_without_rules(view: View, tmp_path: Path) -> None:
    files = [str(path) for path in view.open(Documents).shards]
    dedup_files(files, tmp_path / "out", DeduplicationConfig(max_removed_fraction=1))
    removed = pl.read_parquet(tmp_path / "out" / "removed.parquet")
    for row in removed.head(3).iter_rows(named=True):
        (found,) = document_history(tmp_path / "out", row["id"])
        assert found.fate == "removed" and found.failing == () and found.tokens is None
        assert found.duplicate_of is not None
        assert (found.duplicate_of.id, found.duplicate_of.similarity) == (row["kept_id"], row["similarity"])
        (kept,) = document_history(tmp_path / "out", row["kept_id"])
        assert kept.fate == "kept" and kept.duplicate_of is None


def test_both_folders_of_a_filter_know_their_documents(view: View, tmp_path: Path) -> None:
    files = [str(path) for path in view.open(Documents).shards]
    filter_files(files, RULES, kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    for folder, fate in (("kept", "kept"), ("dropped", "dropped")):
        name = pl.read_parquet(tmp_path / folder / "00000.parquet")["id"][0]
        (found,) = document_history(tmp_path / folder, name)
        assert found.fate == fate
        assert [one.reason for one in found.failing] == (["too_short"] if fate == "dropped" else [])
    assert isinstance(found.failing[0].value, (int, float)) and found.failing[0].value < 200
    assert found.failing[0].accepted == "at least 200"


def test_an_unknown_document_and_a_folder_of_something_else_are_one_line(view: View, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no document has the id 'nobody'"):
        document_history(view.workspace.root, "nobody")
    with pytest.raises(WorkspaceError, match="nothing that can be inspected"):
        document_history(tmp_path, "nobody")
    done = run_dq("inspect", "document", view.workspace.root, "nobody")
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_the_command_prints_what_became_of_the_document(view: View) -> None:
    done = run_dq("inspect", "document", view.workspace.root, "leak")
    assert done.returncode == 0
    assert done.stdout.startswith("leak (web): excluded\n")
    assert "too near to the held-out document essay-3 of set essays" in done.stdout
    assert "text versions: original " in done.stdout
