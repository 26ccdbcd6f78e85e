"""A real study of eight small runs: what it writes, what it repeats, what its numbers are made of."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal

import numpy as np
import polars as pl
import pytest

from dq.compare import ControlKind, ControlOutcome, ControlStatus
from dq.errors import StoppedError, TrainingError, WorkspaceError
from dq.executors import LocalExecutor
from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.heldout import Heldout
from dq.stages.tokens import TokenPool
from dq.study import run_study
from dq.study.grid import REPEAT, TOKEN_REPLACEMENT
from dq.study.heldout_tokens import tokenized_sets, unigram_bits_per_byte
from dq.training import TrainingConfig
from dq.variants import Raw, open_universe
from tests.processes import alive
from tests.progress import Heard
from tests.study.conftest import Plan, Study, World, tiny_study


def bits_per_byte(study: Study, name: str, seed: int, held_out: str) -> float:
    """Straight from the run's per-document losses."""
    mine = study.result.losses.filter(variant=name, seed=seed, set=held_out)
    return float(mine["loss_nats"].sum()) / math.log(2) / int(mine["n_bytes"].sum())


def test_a_study_leaves_its_result_in_files(study: Study) -> None:
    assert {path.name for path in study.folder.iterdir()} == {
        "comparison.json",
        "losses.parquet",
        "points.parquet",
        "registered.json",
        "variants",
    }
    written = json.loads((study.folder / "comparison.json").read_text())
    assert written == json.loads(json.dumps(study.result.to_dict()))
    assert written["budget_tokens"] == 2048 and written["diverged"] == []
    assert set(written["manifests"]) == {"raw", "curated", TOKEN_REPLACEMENT}
    assert (study.folder / "variants/curated/manifest.json").exists()
    losses = study.result.losses
    assert losses.group_by("variant", "seed").len().height == 7
    n_documents = sum(len(one.documents) for one in tokenized_sets(study.workspace))
    assert losses.height == 7 * n_documents
    assert set(study.result.points["phase"]) == {"trunk", "cooling", "cooled"}


def test_the_runs_are_finished_folders(study: Study, plan: Plan) -> None:
    for run in plan(study.config):
        folder = study.workspace.run(run.run_id)
        status = json.loads((folder / "status.json").read_text())
        assert (status["status"], status["step"]) == ("complete", 8)
        assert {"config.json", "ledger.parquet", "model/model.safetensors"} < set(status["files"])
        ledger = pl.read_parquet(folder / "ledger.parquet")
        assert ledger["tokens_seen"].max() == 2048


def test_levels_and_differences_are_those_of_the_losses(study: Study) -> None:
    comparison = study.result.comparison
    assert comparison.neutral_sets == ("essays",) and comparison.seeds == (0, 1, 2)
    (curated,) = comparison.variants
    assert curated.variant == "curated"
    level = {name: [bits_per_byte(study, name, seed, "essays") for seed in range(3)] for name in ("raw", "curated")}
    assert curated.neutral.bits_per_byte == pytest.approx(np.mean(level["curated"]))
    assert curated.neutral.difference == pytest.approx(np.mean(level["curated"]) - np.mean(level["raw"]))
    assert {one.sets[0] for one in curated.by_set} == {"essays", "news", "web"}


def control(study: Study, kind: ControlKind) -> ControlOutcome:
    return next(one for one in study.result.controls if one.kind is kind)


def test_verdicts_are_of_quality_and_mixture_where_sources_have_other_shares(study: Study) -> None:
    for one in study.result.comparison.variants:
        here, base = (study.result.manifests[name].source_shares for name in (one.variant, "raw"))
        other = {name: here[name] - base[name] for name in here if abs(here[name] - base[name]) > 0.01}
        assert one.mixture == tuple(f"{name} {by:+.1%}" for name, by in sorted(other.items()))
        assert ("quality + mixture" in one.summary) == bool(other)
    again = dataclasses.replace(study.result.comparison.variants[0], mixture=("news +3.0%",), worse_on=("web",))
    assert again.summary.endswith("; worse on web; quality + mixture (news +3.0%)")


def test_every_control_is_judged(study: Study) -> None:
    kinds = [ControlKind.AA, ControlKind.TOKEN_REPLACEMENT, ControlKind.REPEAT, ControlKind.UNIGRAM]
    assert [one.kind for one in study.result.controls] == kinds
    assert all(one.status is not ControlStatus.NOT_JUDGED for one in study.result.controls)


def test_the_a_a_control_is_the_baselines_middle_seed_against_the_others(study: Study) -> None:
    base, other = ([bits_per_byte(study, n, seed, "essays") for seed in range(3)] for n in ("raw", "curated"))
    relative = np.subtract(base, other)
    interval = control(study, ControlKind.AA).interval
    assert interval is not None
    assert (interval.low + interval.high) / 2 == pytest.approx(relative[1] - (relative[0] + relative[2]) / 2)


def test_a_run_trained_twice_is_equal_bit_for_bit(study: Study, plan: Plan) -> None:
    repeat = control(study, ControlKind.REPEAT)
    (again,) = [run for run in plan(study.config) if run.arm == REPEAT]
    assert repeat.status is ControlStatus.PASSED and again.run_id in study.result.runs
    ledgers = [(study.workspace.run(name) / "ledger.parquet").read_bytes() for name in study.result.runs[:1]]
    assert ledgers == [(study.workspace.run(again.run_id) / "ledger.parquet").read_bytes()]


def test_the_noise_control_is_paired_with_its_own_seed_and_measured(study: Study) -> None:
    outcome = control(study, ControlKind.TOKEN_REPLACEMENT)
    pair = bits_per_byte(study, TOKEN_REPLACEMENT, 0, "essays") - bits_per_byte(study, "raw", 0, "essays")
    assert outcome.comparison is not None and outcome.comparison.difference == pytest.approx(pair)
    assert study.result.manifests[TOKEN_REPLACEMENT].noise_fraction == pytest.approx(0.5, abs=0.01)
    raw, noisy = study.result.manifests["raw"], study.result.manifests[TOKEN_REPLACEMENT]
    first = [part for part in raw.parts if part.seed == 0]
    bare = [dataclasses.replace(part, part=part.part.removesuffix("+token_noise")) for part in noisy.parts]
    assert first == bare  # the same documents, tokens replaced


def test_the_unigram_control_is_a_count_of_tokens(study: Study) -> None:
    workspace = study.workspace
    universe, pool = open_universe(workspace), TokenPool(workspace.tokens("original"))
    counts = dict.fromkeys(range(400), 1)
    for document in range(len(pool.lengths)):
        if universe.available[document]:
            for token in pool.tokens(document)[1:].tolist():
                counts[token] += 1
    total = sum(counts.values())
    tokenizer = load_tokenizer(workspace.tokenizer() / "tokenizer.json")
    means = []
    for name in ("essays", "news"):
        bits, n_bytes = 0.0, 0
        for text in View.of(workspace).open(Heldout).documents(name)["text"]:
            bits -= sum(math.log2(counts[token] / total) for token in tokenizer.encode(text).ids)
            n_bytes += len(text.encode())
        means.append(bits / n_bytes)
    sets = {one.name: one for one in tokenized_sets(workspace)}
    for names, expected in ((["essays"], means[0]), (["essays", "news"], np.mean(means))):
        found = unigram_bits_per_byte(universe, pool, [sets[name] for name in names], vocabulary_size=400)
        assert found == pytest.approx(expected)
    outcome = control(study, ControlKind.UNIGRAM)
    assert f"against {means[0]:.4f} of a unigram model" in outcome.reason


def test_held_out_sets_are_tokenised_whole_and_without_bos(study: Study) -> None:
    heldout = View.of(study.workspace).open(Heldout)
    tokenizer = load_tokenizer(study.workspace.tokenizer() / "tokenizer.json")
    for one in tokenized_sets(study.workspace):
        frame = heldout.documents(one.name)
        assert list(one.documents) == frame["id"].to_list() and one.n_bytes.tolist() == frame["n_bytes"].to_list()
        for row, text in enumerate(frame["text"]):
            ids = one.tokens[one.offsets[row] : one.offsets[row + 1]].tolist()
            assert tokenizer.decode(ids) == text and 0 not in ids


def test_the_same_study_trains_nothing_again_and_says_the_same(study: Study) -> None:
    def times() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in study.workspace.root.glob("runs/*/*")}

    before, heard = times(), Heard()
    again = run_study(study.config, study.workspace, progress=heard)
    assert times() == before
    assert heard.steps == [("train", "optimiser steps", 64)] and heard.done == [64]
    assert again.to_dict() == study.result.to_dict()

    renamed = study.config.model_copy(update={"name": "renamed"})
    run_study(renamed, study.workspace, executor=LocalExecutor(2))
    assert times() == before
    one, other = (
        json.loads((study.workspace.study(n, 2048) / "comparison.json").read_text()) for n in ("tiny", "renamed")
    )
    assert one | {"study": "renamed", "config": {**one["config"], "name": "renamed"}} == other


def test_each_budget_has_its_own_result_and_report_and_one_is_never_replaced_by_other_settings(world: World) -> None:
    config = tiny_study(name="kept", seeds=1)
    run_study(config, world.workspace)
    folders = [world.workspace.study("kept", budget) for budget in (2048, 1024)]
    before = {path: path.read_bytes() for path in folders[0].rglob("*.*")}
    run_study(config.model_copy(update={"budget_tokens": 1024}), world.workspace)
    assert {path: path.read_bytes() for path in folders[0].rglob("*.*")} == before
    assert (folders[1] / "variants/curated/manifest.json").exists()

    fewer = tiny_study(name="kept", seeds=1, variants={"raw": Raw(), "same": Raw()})
    with pytest.raises(WorkspaceError, match=r"kept/2048: holds the result of other settings .*1 of its 2 runs"):
        run_study(fewer, world.workspace)
    assert {path: path.read_bytes() for path in folders[0].rglob("*.*")} == before
    run_study(tiny_study(name="kept", seeds=2, margin_bits_per_byte=0.5), world.workspace)
    run_study(fewer, world.workspace, overwrite=True)
    runs = json.loads((folders[0] / "comparison.json").read_text())["runs"]
    assert len(runs) == 1 and runs[0].startswith("raw")  # two variants that are the same run share it
    for damaged in ("[]", "{}", '{"runs": 3}', ""):
        (folders[0] / "comparison.json").write_text(damaged)
        with pytest.raises(WorkspaceError, match="delete"):
            run_study(fewer, world.workspace)


def test_a_killed_worker_is_replaced_and_its_run_ends_as_if_nothing_had_happened(world: World) -> None:
    config = tiny_study(name="killed", seeds=1, budget_tokens=8192)
    killed: list[int] = []

    def kill(done: float) -> None:
        if done and not killed:
            killed.append(int((world.workspace.run(heard.details[-1]) / ".lock").read_text()))
            os.kill(killed[0], signal.SIGKILL)

    def tables() -> dict[str, bytes]:
        return {name: (world.workspace.run(name) / "ledger.parquet").read_bytes() for name in set(heard.details) - {""}}

    heard = Heard(kill)
    run_study(config, world.workspace, executor=LocalExecutor(2), progress=heard)
    assert killed and not alive(killed[0])
    assert heard.done[-1] == 64
    interrupted = tables()
    assert len(interrupted) == 2
    for name in interrupted:
        shutil.rmtree(world.workspace.run(name))
    run_study(config, world.workspace)
    assert tables() == interrupted


def test_a_run_that_diverges_is_named_with_what_to_do(world: World) -> None:
    training = TrainingConfig(context=64, batch_windows=4, curve_points=2, peak_learning_rate=1e30)
    config = tiny_study(name="wild", seeds=1, training=training)
    message = r"2 of 2 runs diverged \(raw-0\.1M-seed0-[0-9a-f]{10}\); lower `training\.peak_learning_rate`"
    for _ in range(2):  # the second time from the recorded outcome
        with pytest.raises(TrainingError, match=message):
            run_study(config, world.workspace)
    assert not (world.workspace.study("wild", 2048) / "comparison.json").exists()


def test_a_locked_workspace_is_not_studied(study: Study) -> None:
    with study.workspace.lock(), pytest.raises(WorkspaceError, match="in use by process"):
        run_study(study.config, study.workspace)


def test_a_study_stops_at_its_deadline_and_goes_on_from_there(world: World, plan: Plan) -> None:
    config = tiny_study(name="late", seeds=2, budget_tokens=256 * 9)
    with pytest.raises(StoppedError, match="with 0 of 4 runs finished; the same command goes on from here"):
        run_study(config, world.workspace, deadline_seconds=0)
    folders = [world.workspace.run(run.run_id) for run in plan(config)]
    assert not any(folder.exists() for folder in folders)
    assert len(run_study(config, world.workspace, deadline_seconds=3600).runs) == 4
