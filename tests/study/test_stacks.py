"""`--stack`: which runs of a study are one program, and that a study says the same of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq.config import load_yaml
from dq.errors import TrainingError
from dq.executors import LocalExecutor
from dq.store import Workspace
from dq.study import measure_stacks, run_study
from dq.study.cells import cells_of
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, PlannedRun
from dq.study.placing import RUNS_A_DEVICE, place_runs
from dq.study.runner import MISSING, train_runs
from dq.study.stacks import LEAST_GAIN, plan_stacks
from dq.training import TrainingConfig, trial
from tests.command import run_dq
from tests.study.conftest import Plan, World, tiny_study, with_controls
from tests.study.test_sharing import STUDY, ledgers


def names(groups: Sequence[Sequence[PlannedRun]]) -> list[list[str]]:
    return [[f"{run.arm} {run.spec.seed}" for run in group] for group in groups]


def test_runs_of_one_shape_are_stacked_but_for_those_that_must_be_equal(plan: Plan) -> None:
    runs = plan(tiny_study(seeds=3))
    whole = [["raw 0", "curated 0", "raw 1", "curated 1"], ["raw 2", "curated 2"]]
    assert names(plan_stacks(runs, most=4, at_a_time=1)) == whole
    assert [len(group) for group in plan_stacks(runs, most=4, at_a_time=2)] == [3, 3]  # no process waits
    assert [len(group) for group in plan_stacks(runs, most=4, at_a_time=6)] == [1] * 6
    assert names(plan_stacks(runs, most=1, at_a_time=1)) == [[name] for group in whole for name in group]
    checked = names(plan_stacks(plan(with_controls(tiny_study(seeds=3))), most=8, at_a_time=1))
    assert ["raw 0"] in checked and [f"{REPEAT} 0"] in checked
    assert sorted(map(len, checked)) == [1, 1, 6]


def test_a_stack_has_one_budget_and_no_trunks(plan: Plan) -> None:
    stated = TrainingConfig(context=64, batch_windows=4, peak_learning_rate=0.01, weight_decay=0.1, warmup_tokens=512)
    budgets = {"budgets_tokens": (8192, 16384), "budget_tokens": 8192}
    for training, sizes in ((stated, [1] * 8), (TrainingConfig(context=64, batch_windows=4), [4, 4])):
        cells = cells_of(tiny_study(**budgets, training=training, seeds=2))
        groups = plan_stacks([run for cell in cells for run in plan(cell.config)], most=64, at_a_time=1)
        assert [len(group) for group in groups] == sizes
        assert all(len({run.spec.steps for run in group}) == 1 for group in groups)


def test_a_stack_has_a_gpu_to_itself(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.training.device.find_devices", lambda _name: ["cuda:0", "cuda:1"])
    spec = plan(tiny_study())[0].spec
    assert [place_runs("auto", spec=spec, stack=stack).at_a_time for stack in (1, 8)] == [2 * RUNS_A_DEVICE, 2]


def test_only_sizes_that_gain_are_stacked(plan: Plan) -> None:
    runs = [*plan(tiny_study()), *plan(tiny_study(size="0.3M"))]
    for most, sizes in (({"0.1M": 2}, [2, 1, 1]), ({}, [1] * 4)):
        assert [len(group) for group in plan_stacks(runs[:2] + runs[-2:], most=most, at_a_time=1)] == sizes


def test_the_gain_of_a_stack_is_measured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TURN_SECONDS", 0.01)
    (found,) = measure_stacks(tiny_study(name="gain", seeds=3, budget_tokens=3072), world.workspace, workers=2)
    assert (found.size, found.runs, found.beside) == ("0.1M", 3, 1) and 0.1 < found.gain < 10
    assert found.is_worth == (found.gain > LEAST_GAIN)
    (few,) = measure_stacks(tiny_study(name="few", seeds=1, budget_tokens=3072), world.workspace, workers=2)
    assert (few.runs, few.is_worth) == (1, False)
    assert few.summary == "0.1M: no two runs of one shape are left for a process, so each is trained alone"


@pytest.mark.parametrize(
    ("devices", "gain", "is_worth"),
    [("cpu", 1.06, True), ("cpu", 1.04, False), ("cuda:0", 4.3, True), ("cuda:0", 4.1, False)],
)
def test_stacks_must_beat_all_single_runs_that_share_a_device(
    world: World, monkeypatch: pytest.MonkeyPatch, devices: str, gain: float, is_worth: bool
) -> None:
    monkeypatch.setattr("dq.training.device.find_devices", lambda _name: [devices])
    monkeypatch.setattr(trial, "stack_gain", lambda *_, **__: gain)
    (found,) = measure_stacks(tiny_study(name="gain", seeds=3, budget_tokens=3072), world.workspace, workers=1)
    assert found.is_worth is is_worth
    assert f"6 runs as one program reach {gain:.2f} times the rate of a single run" in found.summary
    assert found.summary.endswith(": they are stacked" if is_worth else ": each is trained alone")
    assert ("4 share a device" in found.summary) == (devices != "cpu")


def test_runs_of_a_study_are_stacked_on_request(fresh: Workspace, plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({**STUDY, "seeds": 2}))
    done = run_dq("ablate", path, "--workspace", str(fresh.root), "--json", "--workers", "1", "--stack", "3")
    assert done.returncode == 0, done.stderr
    together = ledgers(fresh, done.stdout)
    facts = [json.loads((fresh.run(name) / "config.json").read_text()) for name in together]
    assert sorted(one.get("stacked", 1) for one in facts) == [1, 3, 3, 3]
    again = plan(load_yaml(path, StudyConfig))[1]
    shutil.rmtree(fresh.run(again.run_id))
    (alone,) = train_runs(fresh, [again], executor=LocalExecutor(1))
    assert_frame_equal(pl.read_parquet(alone.folder / "ledger.parquet"), together[again.run_id], rel_tol=1e-5)


def test_what_is_wrong_with_one_run_of_a_stack_is_its_own_fault(fresh: Workspace, plan: Plan) -> None:
    runs = plan(tiny_study(name="damaged", seeds=2))
    checkpoint = fresh.run(runs[3].run_id) / "checkpoint" / "state.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"no checkpoint")
    outcomes = train_runs(fresh, runs, executor=LocalExecutor(1), stack=4)
    assert [one.status for one in outcomes] == ["complete"] * 3 + [MISSING]
    assert "cannot be resumed from" in str(outcomes[3].fault)


def test_devices_cannot_share_what_is_stacked(fresh: Workspace) -> None:
    with pytest.raises(TrainingError, match=r"^devices cannot share runs that are one program; leave `stack` at 1$"):
        run_study(tiny_study(name="both"), fresh, device="cpu", devices_per_run=2, stack=2)
