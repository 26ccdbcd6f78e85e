"""Annealing: variants in the cooldown alone, behind one trunk of the baseline's text; verdicts say so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from dq.executors import LocalExecutor
from dq.report import build_report
from dq.report.answers import headline
from dq.stages.base import View
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.study import forecast_study, noise_of_workspace, run_study
from dq.study.noise import nearest_noise
from dq.study.runner import train_runs
from dq.study.trunks import plan_trunks
from dq.training import RunFolder
from dq.variants import Curated, Raw, Repeated, Universe, Variant, open_universe
from tests.study.conftest import Plan, World, tiny_study

VARIANTS = {"raw": Raw(), "curated": Curated(), "twice": Repeated(epochs=2)}
SETTINGS = {"name": "annealed", "annealing": True, "variants": VARIANTS, "seeds": 3}
TRUNK, WHOLE = 6 * 256, 8 * 256  # tokens: the last two of eight steps cool


def windows(world: World, variant: Variant, *, seed: int, count: int) -> tuple[np.ndarray, list[int]]:
    universe: Universe = open_universe(world.workspace)
    pool = View.of(world.workspace).open(TokenPool)
    stream = variant.whole_stream(universe, pool, seed=seed, vocabulary_size=400)
    one_by_one = np.concatenate([stream.windows(at, 1) for at in range(count)])
    assert np.array_equal(one_by_one, stream.windows(0, count)) and stream.n_tokens == WHOLE
    assert np.array_equal(one_by_one[20:28], stream.windows(20, 8))
    return one_by_one, [stream.unique_tokens(n) for n in (0, TRUNK, WHOLE)]


def test_arms_of_a_seed_begin_as_the_baselines_own_run_and_differ_in_the_cooldown(world: World, plan: Plan) -> None:
    arms = {run.arm: run.variant for run in plan(tiny_study(**SETTINGS)) if run.spec.seed == 0}
    (ordinary,) = [run.variant for run in plan(tiny_study()) if run.arm == "raw" and run.spec.seed == 0]
    raw, _ = windows(world, ordinary, seed=0, count=32)
    found = {name: windows(world, variant, seed=0, count=32) for name, variant in arms.items()}
    for name, (seen, unique) in found.items():
        assert np.array_equal(seen[:24], raw[:24]), name
        assert not np.array_equal(seen[24:], raw[24:]), name  # drawn apart, for the baseline too
        assert unique[0] == 0 and unique[1] == TRUNK
        assert unique[2] - unique[1] in ([WHOLE - TRUNK] if name != "twice" else range(192, 449)), name
    assert not np.array_equal(found["curated"][0][24:], found["raw"][0][24:])


def test_the_baseline_trains_the_trunk_for_all_arms_of_a_seed(world: World, plan: Plan) -> None:
    runs = plan(tiny_study(**SETTINGS))
    by_id = {run.run_id: run for run in runs}
    assert len(by_id) == 9 and all("-annealed-0.1M-seed" in run for run in by_id)
    trunks = {by_id[at].arm: {run.arm for run in branches} for at, branches in plan_trunks(runs).items()}
    assert trunks == {"raw": {"curated", "twice"}} and len(plan_trunks(runs)) == 3
    assert not set(by_id) & {run.run_id for run in plan(tiny_study(variants=VARIANTS))}
    found = forecast_study(tiny_study(**SETTINGS), world.workspace, workers=2)
    assert found.tokens + found.shared_tokens in (0, 9 * WHOLE) and found.shared_tokens in (0, 6 * TRUNK)


def test_verdicts_say_that_they_are_of_the_cooldown_and_branches_are_what_they_are_alone(
    world: World, plan: Plan, tmp_path: Path
) -> None:
    config = tiny_study(**SETTINGS)
    result = run_study(config, world.workspace, executor=LocalExecutor(2))
    assert {one.variant: one.summary for one in result.comparison.variants} == {
        one.variant: f"{one.verdict.outcome} in the cooldown" for one in result.comparison.variants
    }
    assert "variants differ in the last 20% of the steps alone, behind a trunk of raw" in result.comparison.notes[0]
    assert " in the cooldown" in headline(result.to_dict()["comparison"])
    assert result.registered.fixed["annealing"] is True
    assert result.manifests["curated"].budget_tokens == WHOLE - TRUNK
    assert result.manifests["curated"].trunk == {
        "name": "raw",
        "spec": {"when_short": "error", "kind": "raw"},
        "tokens": TRUNK,
    }
    assert run_study(config, world.workspace).to_dict() == result.to_dict()

    apart = Workspace(tmp_path / "apart")
    shutil.copytree(world.workspace.root, apart.root, ignore=shutil.ignore_patterns("runs", "studies"))
    noise = noise_of_workspace(world.workspace)
    near = nearest_noise(noise, size="0.1M", budget_tokens=WHOLE, annealing=True)
    assert near is not None and near.study == "annealed"
    assert "annealed" not in {one.study for one in noise if not one.annealing}
    page = build_report(world.workspace, world.workspace.study("annealed", WHOLE)).read_text()
    assert "before it every run is trained on 1,536 tokens of raw" in page and "in the cooldown</h3>" in page

    (alone,) = [run for run in plan(config) if (run.arm, run.spec.seed) == ("curated", 0)]
    train_runs(apart, [alone])
    one, other = (RunFolder(place.run(alone.run_id)) for place in (world.workspace, apart))
    assert one.digests() == other.digests() and not (other.path / "trunk.json").exists()
    origins = [json.loads(path.read_text()) for path in world.workspace.root.glob("runs/*annealed*/trunk.json")]
    assert len(origins) == 6 and {one["steps"] for one in origins} == {6}
