"""Which runs a study has, and what their names depend on."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dq.errors import BudgetError, ConfigError, WorkspaceError
from dq.jobs import run_job
from dq.report import check_reportable
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.store import Workspace
from dq.study import ControlsConfig, forecast_study, run_study
from dq.study.grid import REPEAT, TOKEN_REPLACEMENT, fresh_runs, plan_grid
from dq.training import TrainingConfig
from dq.variants import Curated, Raw, Repeated, StreamConfig, TokenNoise, Variant, open_universe
from tests.command import run_dq
from tests.jobs.workspaces import changed
from tests.study.conftest import Plan, World, tiny_study, with_controls


def ids(plan: Plan, **changes: object) -> dict[tuple[str, int], str]:
    return {(run.variant.name, run.spec.seed): run.run_id for run in plan(tiny_study(**changes))}


def test_runs_go_seed_by_seed_with_the_baseline_first(plan: Plan) -> None:
    runs = plan(tiny_study(seeds=2))
    assert [(run.variant.name, run.spec.seed) for run in runs] == [
        ("raw", 0),
        ("curated", 0),
        ("raw", 1),
        ("curated", 1),
    ]
    for run in runs:
        assert re.fullmatch(rf"{run.variant.spec.kind}-0\.1M-seed{run.spec.seed}-[0-9a-f]{{10}}", run.run_id)
        assert run.spec.steps == 8 and run.spec.budget_tokens == run.variant.budget_tokens == 2048
        assert run.spec.vocabulary_size == 400
    assert len({run.run_id for run in runs}) == 4


def test_a_small_study_has_no_control_runs(plan: Plan) -> None:
    assert {run.variant.name for run in plan(tiny_study(controls=ControlsConfig()))} == {"raw", "curated"}


def test_controls_are_one_run_of_replaced_tokens_and_one_of_the_baseline_again(plan: Plan) -> None:
    runs = plan(with_controls(tiny_study(baseline="curated")))
    kinds = {run.arm: run.variant.spec for run in runs}
    seeds = {name: [run.spec.seed for run in runs if run.arm == name] for name in kinds}
    assert kinds == {"curated": Curated(), "raw": Raw(), TOKEN_REPLACEMENT: TokenNoise(dose=0.5), REPEAT: Curated()}
    assert seeds == {"curated": [0, 1, 2], "raw": [0, 1, 2], TOKEN_REPLACEMENT: [0], REPEAT: [0]}
    first, again = runs[0], next(run for run in runs if run.arm == REPEAT)
    assert again.spec == first.spec and again.run_id == f"{first.run_id}-again"


def test_arms_that_are_the_same_run_share_its_name(plan: Plan) -> None:
    before = ids(plan)
    renamed = ids(plan, variants={"base": Raw(), "better": Curated(), "copy": Raw()}, baseline="base")
    assert renamed["base", 1] == renamed["copy", 1] == before["raw", 1] and renamed["better", 2] == before["curated", 2]


def test_fresh_seeds_are_those_of_no_study(plan: Plan) -> None:
    runs = plan(tiny_study(seeds=2))
    fresh = fresh_runs(runs, ["raw", "curated"], seeds=2)
    assert [(run.arm, run.spec.seed) for run in fresh] == [(n, s) for s in (100, 101) for n in ("raw", "curated")]
    assert len({run.spec.stream_fingerprint for run in (*runs, *fresh)}) == 8
    for planned in plan(tiny_study(seeds=100)):
        assert planned.run_id not in {run.run_id for run in fresh}


def test_a_renamed_study_and_the_rule_that_decides_change_no_run(plan: Plan) -> None:
    before = ids(plan)
    assert ids(plan, name="renamed", margin_bits_per_byte=0.5, pool=True, workspace="elsewhere") == before
    assert ids(plan, baseline="curated") == before


def test_another_seed_or_variant_keeps_the_runs_that_are_there(plan: Plan) -> None:
    before = ids(plan)
    more = ids(plan, seeds=5)
    assert len(more) == 10 and before.items() < more.items()
    variants = {
        "raw": Raw(),
        "curated": Curated(),
        "again": Repeated(epochs=2),
    }
    assert before.items() < ids(plan, variants=variants).items()


def test_what_decides_the_numbers_of_a_run_is_in_its_name(plan: Plan) -> None:
    before = set(ids(plan).values())
    for changes in (
        {"budget_tokens": 2304},
        {"size": "0.3M"},
        {"shares": {"news": 0.5, "web": 0.5}},
        {"training": TrainingConfig(context=64, batch_windows=4, curve_points=2, peak_learning_rate=1e-3)},
        {"stream": StreamConfig(unit="document")},
        {"stream": StreamConfig(draw="cluster")},
    ):
        assert not before & set(ids(plan, **changes).values())
    # The remainder of a step is in no run.
    assert before == set(ids(plan, budget_tokens=2048 + 255).values())


def test_other_rules_change_the_runs_of_curated_and_leave_those_of_raw(
    plan: Plan, world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.workspace.root, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy")
    before = ids(plan)

    def after(**sections: dict[str, object]) -> dict[tuple[str, int], str]:
        run_job(changed(world.job, **sections), workspace)
        runs = plan_grid(tiny_study(), workspace, open_universe(workspace))
        return {(run.variant.name, run.spec.seed): run.run_id for run in runs}

    for sections in ({"quality": {"preset": "gopher_quality"}}, {"dedup": {"threshold": 0.95}}):
        now = after(**sections)
        for key, name in before.items():
            assert (now[key] == name) == (key[0] == "raw")
    assert not set(before.values()) & set(after(heldout={"document_bytes": 700}).values())
    assert after(heldout={}) == before


def test_what_a_report_needs_is_missed_before_anything_is_trained(world: World, tmp_path: Path) -> None:
    # other tests of this file train in the same workspace, so its runs stay behind
    shutil.copytree(world.workspace.root, tmp_path / "copy", ignore=shutil.ignore_patterns("runs"))
    check_reportable(Workspace(tmp_path / "copy"))
    record = tmp_path / "copy" / "planted" / "stage.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "version": 3}))
    study = {"name": "s", "workspace": "copy", "budget_tokens": 4096, "margin_bits_per_byte": 0.02}
    kinds = {name: {"kind": name} for name in ("raw", "curated")}
    (tmp_path / "study.yaml").write_text(json.dumps({**study, "baseline": "raw", "variants": kinds}))
    done = run_dq("ablate", "study.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("made by another version of dq; run the job again (stage `planted`)\n")
    assert not (tmp_path / "copy" / "runs").exists()


def test_runs_that_draw_clusters_depend_on_the_duplicates_and_others_of_all_documents_do_not(
    world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.workspace.root, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy")

    def raw_runs() -> dict[str, str]:
        configs = [tiny_study(stream=StreamConfig(draw=draw)) for draw in ("independent", "cluster")]
        universe = open_universe(workspace)
        return {one.stream.draw: plan_grid(one, workspace, universe)[0].run_id for one in configs}

    before = raw_runs()
    run_job(changed(world.job, dedup={"threshold": 0.95}), workspace)
    after = raw_runs()
    assert before["independent"] == after["independent"] and before["cluster"] != after["cluster"]


def test_what_stands_for_a_document_is_a_verified_near_copy_of_it_and_stands_for_itself(world: World) -> None:
    universe = open_universe(world.workspace)
    found = View.of(world.workspace).open(FoundDuplicates).duplicates
    alike = {frozenset(pair) for pair in found.pairs.select("left", "right").iter_rows()}
    stand_ins, numbers = universe.stand_ins, np.arange(len(universe.lengths))
    heads = np.unique(stand_ins)
    assert (stand_ins[heads] == heads).all() and 5 < (stand_ins != numbers).sum() < 40
    assert universe.available[stand_ins[universe.available]].all()
    assert (stand_ins[~universe.available] == numbers[~universe.available]).all()
    for document in np.flatnonzero(stand_ins != numbers):
        one, other = found.first_copy[document], found.first_copy[stand_ins[document]]
        assert one == other or frozenset((one, other)) in alike
    # None of those that stand for themselves are near to each other: all near-copies have been found.
    among = set(found.first_copy[heads[universe.available[heads]]].tolist())
    assert not any(pair <= among for pair in alike)
    assert len(among) == universe.available[heads].sum()


def test_shares_sum_to_one_however_they_are_rounded(plan: Plan) -> None:
    run = plan(tiny_study(shares={"news": 0.3333337, "web": 0.666666}))[0]
    assert math.fsum(run.variant.shares.values()) == pytest.approx(1, abs=1e-12)
    assert run.variant.shares["news"] == pytest.approx(0.3333337, rel=1e-5)


def test_shares_of_an_unknown_source_name_the_known_ones(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="unknown source `blog`; there are news, web"):
        plan(tiny_study(shares={"news": 0.5, "blog": 0.5}))


def test_a_study_without_a_job_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="make one with `dq run"):
        run_study(tiny_study(), Workspace(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(WorkspaceError, match="not finished; run `dq run"):
        run_study(tiny_study(), Workspace(tmp_path / "new").create())


def test_a_study_needs_a_neutral_set(world: World, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "copy")
    shutil.copytree(world.workspace.root, workspace.root)
    run_job(changed(world.job, heldout={"neutral": []}), workspace)
    with pytest.raises(ConfigError, match=r"no neutral held-out set; add one under `heldout\.neutral`"):
        run_study(tiny_study(), workspace)


def test_sources_are_left_out_and_the_others_stay_in_proportion(world: World) -> None:
    universe = open_universe(world.workspace)

    def of(**more: Any) -> Variant:
        return plan_grid(tiny_study(budget_tokens=16_384, **more), world.workspace, universe)[0].variant

    raw, without = of(), of(without=("web",))
    assert dict(raw.shares) == universe.raw_shares() and raw.shares["web"] > 0.1
    assert dict(without.shares) == {"news": 1.0}
    assert without.stream_fingerprint(0) == of(shares={"news": 1.0}).stream_fingerprint(0) != raw.stream_fingerprint(0)
    with pytest.raises(ConfigError, match=r"^unknown source .*did you mean `web`"):
        of(without=("wep",))
    with pytest.raises(ConfigError, match=r"^no source is left"):
        of(without=("news", "web"))
    with pytest.raises(ConfigError, match="leave out one of the two"):
        of(without=("web",), shares={"news": 1.0})


def test_a_corpus_too_small_fails_before_anything_is_trained(world: World) -> None:
    before = set((world.workspace.root).glob("runs/*"))
    with pytest.raises(
        BudgetError,
        match=r"variant curated: (news|web)/kept holds [\d,]+ tokens and [\d,]+ are needed; lower `budget_tokens` "
        r"to at most [\d,]+, or set `when_short: repeat` \(the budget is 89,856: whole optimiser steps of 256 tokens\)",
    ):
        run_study(tiny_study(budget_tokens=90_000), world.workspace)
    kinds = {"raw": Raw(), "kept": Curated(), "many": Repeated(epochs=20), "once": Repeated(epochs=1)}
    several = tiny_study(name="several", budget_tokens=90_000, variants=kinds)
    said = r"^variant kept: .* 256 tokens\); too small too: once \(`dq variants list` says what each lacks\)$"
    for refusing in (run_study, forecast_study):
        with pytest.raises(BudgetError, match=said):
            refusing(several, world.workspace)
    assert set(world.workspace.root.glob("runs/*")) == before
    assert not world.workspace.grid("several").exists()
