"""Budgets that share a trunk: which runs do, and that nothing but the time of training changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from dq.executors import LocalExecutor
from dq.store import Workspace
from dq.study import forecast_grid, list_runs, run_grid, run_study
from dq.study.cells import cells_of
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, PlannedRun
from dq.study.trunks import branch_steps, plan_trunks
from dq.training import RunFolder, TrainingConfig
from dq.variants import Curated, Raw, Repeated, StreamConfig, TokenNoise
from tests.study.conftest import Plan, tiny_study, with_controls

STATED = TrainingConfig(
    context=64, batch_windows=4, curve_points=2, peak_learning_rate=0.01, weight_decay=0.1, warmup_tokens=512
)
KINDS = {
    "raw": Raw(),
    "curated": Curated(),
    "noise": TokenNoise(dose=0.5),
    "few": Repeated(pool_tokens=4096),
    "repeated": Repeated(epochs=2),
}
TWO_BLOCKS = 8192  # 128 windows: streams are alike through whole blocks of 64


def planned(plan: Plan, config: StudyConfig) -> list[PlannedRun]:
    return [run for cell in cells_of(config) for run in plan(cell.config)]


def shared(plan: Plan, config: StudyConfig) -> dict[tuple[str, int, int], tuple[int, int]]:
    """Of each branch, by arm, seed and budget: the budget that it branches off, and the steps that it is spared."""
    runs = {run.run_id: run for run in planned(plan, config)}
    return {
        (run.arm, run.spec.seed, run.spec.budget_tokens): (runs[at].spec.budget_tokens, branch_steps(runs[at], run))
        for at, branches in plan_trunks(list(runs.values())).items()
        for run in branches
    }


def test_budgets_share_where_streams_are_prefixes(plan: Plan) -> None:
    budgets = (TWO_BLOCKS, 2 * TWO_BLOCKS, 4 * TWO_BLOCKS, TWO_BLOCKS // 2)
    config = tiny_study(budgets_tokens=budgets, budget_tokens=TWO_BLOCKS, training=STATED, variants=KINDS, seeds=1)
    found = shared(plan, config)
    for arm in ("raw", "curated", "noise", "few"):
        assert found[arm, 0, TWO_BLOCKS] == (4 * TWO_BLOCKS, 26)
        assert found[arm, 0, 2 * TWO_BLOCKS] == (4 * TWO_BLOCKS, 51)
        assert found[arm, 0, TWO_BLOCKS // 2] == (4 * TWO_BLOCKS, 13)
    assert not any(arm == "repeated" for arm, _, _ in found) and len(found) == 12


def test_one_trunk_serves_one_to_sixteen_epochs_of_a_fixed_pool(plan: Plan) -> None:
    budgets = tuple(epochs * TWO_BLOCKS // 2 for epochs in (1, 2, 4, 8, 16))
    variants = {"raw": Raw(), "few": Repeated(pool_tokens=TWO_BLOCKS // 2)}
    config = tiny_study(budgets_tokens=budgets, budget_tokens=budgets[0], training=STATED, variants=variants, seeds=1)
    found = shared(plan, config)
    assert {budget: at for (arm, _, budget), (at, _) in found.items() if arm == "few"} == dict.fromkeys(
        budgets[:-1], budgets[-1]
    )


@pytest.mark.parametrize(
    ("changes", "whether"),
    [
        ({}, True),
        ({"budgets_tokens": (TWO_BLOCKS - 1536, 2 * TWO_BLOCKS)}, False),  # 104 windows: the second block is cut
        ({"budgets_tokens": (TWO_BLOCKS - 1536, 2 * TWO_BLOCKS), "stream": StreamConfig(unit="document")}, True),
        ({"training": STATED.model_copy(update={"peak_learning_rate": None})}, False),  # each budget has its own
        ({"training": STATED.model_copy(update={"peak_learning_rate": None}), "trunk_tokens": TWO_BLOCKS}, True),
        (
            {"training": STATED.model_copy(update={"peak_learning_rate": None}), "trunk_tokens": 2 * TWO_BLOCKS + 300},
            True,
        ),
        ({"training": STATED.model_copy(update={"peak_learning_rate": None}), "trunk_tokens": 4 * TWO_BLOCKS}, False),
    ],
)
def test_runs_share_where_rates_and_mixed_windows_agree(plan: Plan, changes: dict[str, object], whether: bool) -> None:
    values = {"budgets_tokens": (TWO_BLOCKS, 2 * TWO_BLOCKS), "training": STATED, "seeds": 1, **changes}
    config = tiny_study(budget_tokens=values["budgets_tokens"][0], **values)  # type: ignore[index]
    assert len(shared(plan, config)) == (2 if whether else 0)


def test_the_run_that_is_trained_twice_is_trained_alone(plan: Plan) -> None:
    config = with_controls(
        tiny_study(budgets_tokens=(TWO_BLOCKS, 2 * TWO_BLOCKS), budget_tokens=TWO_BLOCKS, training=STATED)
    )
    assert REPEAT in {run.arm for run in planned(plan, config)}
    assert {arm for arm, _, _ in shared(plan, config)} == {"raw", "curated", "control-token-replacement"}


def test_a_branch_is_bit_for_bit_the_run_that_it_is_alone(fresh: Workspace, tmp_path: Path) -> None:
    budgets = {"budgets_tokens": (2 * TWO_BLOCKS, TWO_BLOCKS), "budget_tokens": 2 * TWO_BLOCKS}
    config = tiny_study(name="trunk", **budgets, trunk_tokens=TWO_BLOCKS, seeds=1)
    foretold = forecast_grid(config, fresh)
    assert [cell.shared_tokens for cell in foretold.cells] == [0, 2 * 26 * 256]
    assert [cell.tokens for cell in foretold.cells] == [2 * 16384, 2 * (32 - 26) * 256]
    found = run_grid(config, fresh, executor=LocalExecutor(2))

    apart = Workspace(tmp_path / "apart")
    shutil.copytree(fresh.root, apart.root, ignore=shutil.ignore_patterns("runs", "studies"))
    alone = run_study(tiny_study(name="alone", budget_tokens=TWO_BLOCKS, trunk_tokens=TWO_BLOCKS, seeds=1), apart)
    branched = found.cells[1].result
    assert branched is not None and branched.runs == alone.runs
    for run in alone.runs:
        one, other = (RunFolder(workspace.run(run)) for workspace in (fresh, apart))
        assert one.digests() == other.digests()
        origin = json.loads((one.path / "trunk.json").read_text())
        assert origin["steps"] == 26 and found.cells[0].result and origin["run"] in found.cells[0].result.runs
        assert not (other.path / "trunk.json").exists()
    took = {run.run: run.training_seconds for run in list_runs(fresh).runs}
    timed = {run: float(pl.read_parquet(fresh.run(run) / "timing.parquet")["training_seconds"].sum()) for run in took}
    for run, seconds in timed.items():  # a trunk's seconds are counted once, as those of the run that took them
        path = fresh.run(run) / "trunk.json"
        spared = json.loads(path.read_text())["training_seconds"] if path.exists() else 0
        assert took[run] == seconds - spared and path.exists() == (run in branched.runs) == (spared > 0)
