"""`dq run --dry-run`: the plan's fingerprints are those of the stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq.jobs import forecast_job, plan_job
from dq.store import Workspace
from tests.command import run_dq
from tests.jobs.conftest import Finished
from tests.jobs.workspaces import changed


def to_do(plan_of: object, workspace: Workspace) -> set[str]:
    plan = plan_job(plan_of, workspace)  # type: ignore[arg-type]
    return {stage.name for stage in plan.stages if not stage.done}


def test_what_is_done_and_what_an_edit_makes_anew(finished: Finished, tmp_path: Path) -> None:
    workspace, job = finished.workspace, finished.config
    assert to_do(job, workspace) == set()
    last = {"select", "check planted copies", "settle fates"}
    assert to_do(changed(job, dedup={"threshold": 0.9}), workspace) == {"find duplicates", *last}
    assert to_do(changed(job, quality={"preset": "c4"}), workspace) == {"score", "judge", "select", "settle fates"}
    new = Workspace(tmp_path / "new")
    assert len(to_do(job, new)) == len(plan_job(job, new).stages) == 11
    assert not new.root.exists()


def test_the_command_says_stages_and_cost_and_writes_nothing(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(finished.config.model_dump_json())
    done = run_dq("run", "job.yaml", "--workspace", "ws", "--dry-run", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"input:", "time:", "memory:", "disk:"} <= {line.split(" ")[0] for line in done.stdout.splitlines()}
    found = run_dq("run", "job.yaml", "--workspace", finished.workspace.root, "--dry-run", "--json", cwd=tmp_path)
    plan = json.loads(found.stdout)
    assert all(stage["done"] for stage in plan["stages"]) and plan["forecast"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


def test_a_forecast_is_of_the_whole_job(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = finished.workspace
    there = [path.stat().st_size for path in workspace.root.rglob("*") if path.is_file()]
    largest = sum(there) + (workspace.tokens("original") / "tokens.bin").stat().st_size  # while its parts are joined
    whole = forecast_job(finished.config)
    assert whole.complete and whole.documents == whole.sample_documents == finished.result.fates["documents"].sum()
    assert {"read", "find duplicates", "hold out", "score", "judge", "tokenise", "select"} <= set(whole.step_seconds)
    assert whole.seconds > sum(whole.step_seconds.values()) > 0
    assert whole.disk_bytes == pytest.approx(largest, rel=0.1)
    monkeypatch.setattr("dq.jobs.forecast.SAMPLE_BYTES", whole.text_bytes // 2)
    part = forecast_job(finished.config)
    assert part.sample_documents < 0.75 * part.documents == 0.75 * whole.documents
    assert part.disk_bytes == pytest.approx(whole.disk_bytes, rel=0.3)
