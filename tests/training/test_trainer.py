from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq.errors import TrainingError
from dq.training import HeldoutTokens, RunSpec, TrainingConfig, read_run, train
from dq.training.run import sound_losses
from tests.progress import Heard
from tests.training.tokens import CyclicStream


def assert_equal_runs(first: Path, second: Path) -> None:
    assert (first / "ledger.parquet").read_bytes() == (second / "ledger.parquet").read_bytes()
    assert (first / "documents.parquet").read_bytes() == (second / "documents.parquet").read_bytes()
    assert (first / "model/model.safetensors").read_bytes() == (second / "model/model.safetensors").read_bytes()


def with_training(spec: RunSpec, **changes: object) -> RunSpec:
    return spec.model_copy(update={"training": spec.training.model_copy(update=changes)})


def test_a_run_learns_and_leaves_a_whole_folder(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    heard = Heard()
    record = train(spec, stream, heldout, run_dir=tmp_path / "run", progress=heard)

    assert record.status == "complete" and record.step == 20
    assert heard.steps == [("run", "optimiser steps", 20)]
    assert heard.done == list(range(21))
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["config.json", "documents.parquet", "ledger.parquet", "model", "status.json", "timing.parquet"]
    curve = record.ledger.filter(pl.col("set") == "near", pl.col("subset") == "tenth")["bits_per_byte"]
    assert curve[-1] < 0.8 * curve[0]
    assert curve[-1] < np.log2(64) / 2


def test_the_ledger_has_a_row_per_point_and_set_and_two_at_the_end(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    record = train(spec, stream, heldout, run_dir=tmp_path)
    ledger = record.ledger

    keys = ledger.select("step", "phase", "set", "subset").rows()
    trunk = [(step, "trunk") for step in (1, 4, 16)]
    points = [*trunk, (18, "cooling"), (20, "cooled")]
    expected = [(*point, name, "tenth") for point in points for name in ("near", "far")]
    expected[-1:-1] = [(20, "cooled", "near", "all")]
    assert keys == [*expected, (20, "cooled", "far", "all")]
    assert ledger["tokens_seen"].to_list() == [step * 128 for step in ledger["step"]]
    assert ledger.filter(step=20)["unique_tokens_seen"].unique().to_list() == [2000]
    assert ledger.filter(step=20)["epoch"].unique().to_list() == [2560 / 2000]
    assert ledger.filter(subset="tenth")["n_documents"].unique().to_list() == [10]

    whole = ledger.filter(set="near", subset="all").row(0, named=True)
    documents = record.documents.filter(set="near")
    assert documents["document"].to_list() == list(heldout[0].documents)
    assert whole["n_tokens"] == documents["n_tokens"].sum() == len(heldout[0].tokens)
    assert whole["loss_nats"] == documents["loss_nats"].to_numpy().sum()
    assert whole["bits_per_byte"] == pytest.approx(whole["loss_nats"] / np.log(2) / whole["n_bytes"])


def test_no_time_is_in_a_fingerprinted_file(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    train(spec, stream, heldout, run_dir=tmp_path)
    for name in ("ledger", "documents"):
        assert not any("second" in column for column in pl.read_parquet(tmp_path / f"{name}.parquet").columns)
    timing = pl.read_parquet(tmp_path / "timing.parquet")
    assert timing["step"].to_list() == [1, 4, 16, 18, 20]
    assert (timing["tokens_per_second"] > 0).all()
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["precision"] == "fp32"
    assert config["parameters"] == config["embedding_parameters"] + config["non_embedding_parameters"]
    assert RunSpec.model_validate_json(json.dumps(config["spec"])) == spec


def test_equal_seeds_give_equal_runs_bit_for_bit_and_other_seeds_do_not(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(spec.model_copy(update={"seed": seed}), stream, heldout, run_dir=tmp_path / name)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a/ledger.parquet").read_bytes() != (tmp_path / "c/ledger.parquet").read_bytes()


def test_the_training_loss_of_a_point_is_the_mean_per_token_since_the_last(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    coarse = train(spec, stream, heldout, run_dir=tmp_path / "coarse").ledger
    dense_spec = with_training(spec, curve_points=400)
    dense = train(dense_spec, stream, heldout, run_dir=tmp_path / "dense").ledger

    dense = dense.filter(set="near", subset="tenth").sort("step")
    assert dense["step"].to_list() == [*range(1, 17), 18, 20]
    found = coarse.filter(step=4, set="near")["train_loss_nats"].item()
    assert found == pytest.approx(dense.filter(pl.col("step").is_between(2, 4))["train_loss_nats"].mean(), rel=1e-6)


def test_accumulated_micro_batches_train_like_the_whole_batch(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    whole = train(spec, stream, heldout, run_dir=tmp_path / "whole").ledger
    parts_spec = with_training(spec, microbatch_windows=1)
    parts = train(parts_spec, stream, heldout, run_dir=tmp_path / "parts").ledger
    assert_frame_equal(whole, parts, rel_tol=1e-5)


def test_a_finished_run_is_returned_without_training(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    first = train(spec, stream, heldout, run_dir=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = train(spec, stream, heldout, run_dir=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert_frame_equal(first.ledger, second.ledger)
    assert second.spec == spec


def test_a_folder_of_another_run_is_refused(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    train(spec, stream, heldout, run_dir=tmp_path)
    other = spec.model_copy(update={"seed": 9, "stream_fingerprint": "t"})
    with pytest.raises(TrainingError, match="seed, stream_fingerprint differ"):
        train(other, stream, heldout, run_dir=tmp_path)


def test_a_stream_one_token_short_is_refused_before_anything_is_written(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(TrainingError, match="2,559 tokens and the run needs 2,560"):
        train(spec, CyclicStream(n_tokens=2559, context=32), heldout, run_dir=run_dir)
    assert not run_dir.exists()
    train(spec, CyclicStream(n_tokens=2560, context=32), heldout, run_dir=run_dir)


def test_a_stream_of_another_context_is_refused(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="another context"):
        train(spec, CyclicStream(n_tokens=3000, context=16), heldout, run_dir=tmp_path)


def test_held_out_tokens_of_another_vocabulary_are_refused(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    foreign = dataclasses.replace(heldout[0], tokens=heldout[0].tokens + 1)
    with pytest.raises(TrainingError, match="outside"):
        train(spec, stream, [foreign], run_dir=tmp_path)


@pytest.mark.parametrize("rate", [30.0, 1e30])  # losses stay finite at the first, and are hundreds of times chance
def test_divergence_is_recorded_with_its_step_and_is_not_an_error(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path, rate: float
) -> None:
    spec = with_training(spec, peak_learning_rate=rate)
    record = train(spec, stream, heldout, run_dir=tmp_path)
    assert record.status == "diverged"
    assert 1 < record.step < 20
    assert (record.ledger["step"] < record.step).all()
    assert record.documents.is_empty()
    assert not (tmp_path / "model").exists()
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["status"], status["step"]) == ("diverged", record.step)
    again = read_run(tmp_path)
    assert again is not None and again.status == "diverged"


def test_a_step_that_is_ten_times_as_bad_as_chance_has_diverged_and_one_that_is_less_has_not(spec: RunSpec) -> None:
    limit = 10 * math.log(spec.vocabulary_size) * spec.training.tokens_per_step
    bad, worse = [0.5 * limit, 0.49 * limit, 1.0], [0.5 * limit, 0.5 * limit, 1.0]  # two micro-batches, and the norm
    assert sound_losses([bad, worse, bad], spec) == [pytest.approx(0.99 * limit)]
    assert sound_losses([[1.0, math.inf]], spec) == [] == sound_losses([[math.nan, 1.0]], spec)


def test_bf16_trains_close_to_fp32_and_is_recorded(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    full = train(spec, stream, heldout, run_dir=tmp_path / "full")
    half = train(with_training(spec, precision="bf16"), stream, heldout, run_dir=tmp_path / "half")
    assert (full.precision, half.precision) == ("fp32", "bf16")
    last_full, last_half = full.ledger["bits_per_byte"][-1], half.ledger["bits_per_byte"][-1]
    assert last_half != last_full
    assert last_half == pytest.approx(last_full, rel=0.02)


def test_a_run_without_held_out_sets_is_refused(spec: RunSpec, stream: CyclicStream, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="held-out"):
        train(spec, stream, [], run_dir=tmp_path)


def test_a_default_configuration_is_valid_and_splits_evenly() -> None:
    config = TrainingConfig()
    assert config.tokens_per_step == config.batch_windows * config.context
    assert config.steps_for(config.tokens_per_step * 10 + 1) == 10
