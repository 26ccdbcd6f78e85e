"""Every run of a workspace and its curves, whatever state it is in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from dq.errors import ConfigError
from dq.store import FolderLock, Workspace
from dq.store.lock import holder
from dq.study import list_runs
from tests.command import run_dq
from tests.study.conftest import Plan, Study


@pytest.fixture
def copied(study: Study, tmp_path: Path) -> Workspace:
    """The runs of the study alone, to be damaged."""
    shutil.copytree(study.workspace.root / "runs", tmp_path / "runs")
    shutil.copy(study.workspace.marker, tmp_path)
    return Workspace(tmp_path)


def test_finished_runs_tell_what_they_reached_and_their_curves_are_the_ledgers(study: Study, plan: Plan) -> None:
    found = list_runs(study.workspace)
    by_name, as_json = {run.run: run for run in found.runs}, {run["run"]: run for run in found.to_dict()["runs"]}
    for planned in plan(study.config):
        run = by_name[planned.run_id]
        assert (run.status, run.tokens_seen, run.budget_tokens, run.seed) == ("complete", 2048, 2048, planned.spec.seed)
        assert (
            run.tokens_per_second and run.seconds_left is None and set(run.bits_per_byte) == {"essays", "news", "web"}
        )
        ledger = pl.read_parquet(study.workspace.run(planned.run_id) / "ledger.parquet")
        assert found.curves.filter(run=planned.run_id).select(ledger.columns).equals(ledger)
        whole = ledger.filter(subset="all", set="essays")["bits_per_byte"].item()
        assert run.bits_per_byte["essays"] == whole
        assert as_json[planned.run_id]["status"] == "complete"
    assert found.to_frame() is found.curves


def test_a_run_at_work_one_that_stopped_and_one_that_is_damaged(copied: Workspace) -> None:
    names = sorted(path.name for path in (copied.root / "runs").iterdir())
    at_work, stopped, damaged = (copied.run(name) for name in names[:3])
    for folder in (at_work, stopped):
        (folder / "status.json").unlink()
        table = pl.read_parquet(folder / "ledger.parquet")
        table.filter(pl.col("phase") == "trunk").write_parquet(folder / "ledger.parquet")
    (stopped / ".lock").write_text("999999999\n")  # of a process that was killed
    (damaged / "ledger.parquet").write_bytes(b"PAR1")
    with FolderLock(at_work):
        assert holder(at_work) == os.getpid()
        by_name = {run.run: run for run in list_runs(copied).runs}
    assert holder(at_work) is None
    assert [by_name[path.name].status for path in (at_work, stopped, damaged)] == ["running", "stopped", "damaged"]
    run = by_name[at_work.name]
    assert 0 < run.tokens_seen < run.budget_tokens and run.tokens_per_second and run.seconds_left
    assert run.seconds_left == pytest.approx((run.budget_tokens - run.tokens_seen) / run.tokens_per_second)
    assert by_name[stopped.name].seconds_left is None
    shown = run_dq("runs", copied.root).stdout.splitlines()
    complete = ["complete" in line for line in shown if "-seed" in line]
    assert complete == sorted(complete) and complete.count(False) >= 3  # those first, with ones of other tests
    (told,) = (line.removeprefix("runs: ").split(", ") for line in shown if line.startswith("runs: "))
    assert {"2 stopped", "1 damaged"} < set(told) and any(one.endswith(" complete") for one in told)


@pytest.mark.parametrize("name", ["curves.csv", "curves.PARQUET"])
def test_curves_are_written_as_the_name_says(study: Study, tmp_path: Path, name: str) -> None:
    found = list_runs(study.workspace)
    found.write_curves(tmp_path / name)
    read = pl.read_csv if name.endswith("csv") else pl.read_parquet
    assert read(tmp_path / name).select("run", "step", "set").equals(found.curves.select("run", "step", "set"))


def test_another_ending_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"curves\.txt: not a name of a table; let it end in \.csv or \.parquet"):
        list_runs(study.workspace).write_curves(tmp_path / "curves.txt")
    assert not list(tmp_path.iterdir())
