"""Several runs as one program: each is the run that it would be alone, whatever becomes of the others."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from polars.testing import assert_frame_equal
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from dq.errors import StoppedError, TrainingError
from dq.training import HeldoutTokens, RunFolder, RunSpec, program, read_run, train
from dq.training.checkpoint import saved_step
from dq.training.stack import Stack
from dq.training.stacking import StackedRun, train_stack
from tests.training.tokens import CyclicStream, sentence


class Own(CyclicStream):
    """A stream of its own by its seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(n_tokens=3000, context=32)
        self.tokens = sentence(3001, seed=seed)


class Stopping(Own):
    """Ctrl-C where a window is read."""

    def __init__(self, seed: int, *, window: int) -> None:
        super().__init__(seed)
        self.window = window

    def windows(self, first: int, count: int) -> NDArray[np.int32]:
        if first >= self.window:
            raise KeyboardInterrupt
        return super().windows(first, count)


OWN = (
    {"peak_learning_rate": 6e-3, "weight_decay": 0.0, "gradient_clip": 0.5},
    {"peak_learning_rate": 1e-3, "weight_decay": 0.3, "gradient_clip": 0.05, "warmup_tokens": 1024},
    {"peak_learning_rate": 3e-3, "weight_decay": 0.1, "gradient_clip": 50.0, "beta1": 0.8, "beta2": 0.99},
)


def members(spec: RunSpec, folder: Path, **shared: object) -> list[StackedRun]:
    """Three runs that differ in all that runs of a stack may differ in."""
    specs = [
        spec.model_copy(
            update={
                "seed": seed,
                "stream_fingerprint": str(seed),
                "training": spec.training.model_copy(update={**own, **shared}),
            }
        )
        for seed, own in enumerate(OWN)
    ]
    return [StackedRun(one, Own(one.seed), folder / str(one.seed)) for one in specs]


@pytest.fixture(autouse=True)
def _without_a_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single runs make the calls that a stack makes; what a tape makes of these test_tape.py compares.

    AdamW's first steps have the rate's size, whatever the gradient's: of one near 0 they show the rounding.
    """
    monkeypatch.setattr(program, "can_record", lambda _model: False)


def alone(runs: Sequence[StackedRun], heldout: Sequence[HeldoutTokens], folder: Path) -> None:
    for one in runs:
        train(one.spec, one.stream, heldout, run_dir=folder / one.run_dir.name)


def assert_same(one: Path, other: Path, *, rel_tol: float = 1e-5) -> None:
    """Folders with the same files, tables and weights, but for seconds and rounding."""
    assert {path.relative_to(one) for path in one.rglob("*")} == {path.relative_to(other) for path in other.rglob("*")}
    for name in ("ledger.parquet", "documents.parquet"):
        assert_frame_equal(pl.read_parquet(one / name), pl.read_parquet(other / name), rel_tol=rel_tol)
    weights, others = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("microbatch_windows", [None, 2])
def test_runs_of_a_stack_are_the_runs_alone_to_rounding(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path, microbatch_windows: int | None
) -> None:
    runs = members(spec, tmp_path / "stack", microbatch_windows=microbatch_windows)
    records = train_stack(runs, heldout)
    alone(runs, heldout, tmp_path / "alone")
    assert [(record.status, record.stacked) for record in records] == [("complete", 3)] * 3
    for one in runs:
        assert_same(one.run_dir, tmp_path / "alone" / one.run_dir.name)
        facts, single = (
            json.loads((folder / one.run_dir.name / "config.json").read_text())
            for folder in (tmp_path / "stack", tmp_path / "alone")
        )
        assert facts == {**single, "stacked": 3}
    assert len({record.ledger["loss_nats"][-1] for record in records}) == 3


def test_runs_of_a_stack_share_its_seconds_and_each_has_the_speed_that_the_clock_shows(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    began, runs = time.perf_counter(), members(spec, tmp_path)
    train_stack(runs, heldout)
    elapsed = time.perf_counter() - began
    timings = [pl.read_parquet(RunFolder(one.run_dir).timing) for one in runs]
    took = pl.concat(timings).select(pl.sum_horizontal("training_seconds", "evaluation_seconds").sum()).item()
    assert took < elapsed
    for timing in timings:
        tokens = timing["step"].diff().fill_null(timing["step"][0]) * spec.training.tokens_per_step
        by_the_clock = (tokens / timing["tokens_per_second"]).to_list()
        assert (3 * timing["training_seconds"]).to_list() == pytest.approx(by_the_clock)


def test_one_that_diverges_is_recorded_and_changes_nothing_for_the_others(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    sound, wild = members(spec, tmp_path / "sound"), members(spec, tmp_path / "wild")
    training = wild[1].spec.training.model_copy(update={"peak_learning_rate": 1e30})
    wild[1] = replace(wild[1], spec=wild[1].spec.model_copy(update={"training": training}))
    train_stack(sound, heldout)
    records = train_stack(wild, heldout)
    assert [record.status for record in records] == ["complete", "diverged", "complete"]
    alone([wild[1]], heldout, tmp_path / "alone")
    assert (single := read_run(tmp_path / "alone" / "1")) is not None
    assert (single.status, single.step) == ("diverged", records[1].step) and 0 < single.step < spec.steps
    assert not RunFolder(wild[1].run_dir).model.exists()
    for one, other in ((sound[0], wild[0]), (sound[2], wild[2])):
        for name in ("ledger.parquet", "documents.parquet", "model/model.safetensors"):
            assert (one.run_dir / name).read_bytes() == (other.run_dir / name).read_bytes()


@pytest.mark.parametrize("compiled", [None, True])
def test_one_that_has_diverged_costs_no_more_but_where_that_would_mean_to_compile_again(
    spec: RunSpec,
    heldout: Sequence[HeldoutTokens],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compiled: bool | None,
) -> None:
    monkeypatch.setattr(torch, "compile", lambda plain, **_: plain)
    program._compiled.cache_clear()
    runs, steps = members(spec, tmp_path, compiled=compiled), list[int]()
    training = runs[1].spec.training.model_copy(update={"peak_learning_rate": 1e30})
    runs[1] = replace(runs[1], spec=runs[1].spec.model_copy(update={"training": training}))
    step = Stack.step

    def counted(stack: Stack, windows_RBT: torch.Tensor, *, learning_rate_R: torch.Tensor) -> torch.Tensor:
        steps.append(len(stack.programs))
        return step(stack, windows_RBT, learning_rate_R=learning_rate_R)

    monkeypatch.setattr(Stack, "step", counted)
    try:
        diverged = train_stack(runs, heldout)[1].step
    finally:
        program._compiled.cache_clear()
    left = spec.steps - diverged
    assert left and steps == [3] * diverged + [3 if compiled else 2] * left


def test_what_is_interrupted_goes_on_alone_or_stacked(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    runs = members(spec, tmp_path / "stack")
    alone(runs, heldout, tmp_path / "alone")
    broken = [*runs[:2], replace(runs[2], stream=Stopping(2, window=4 * 11))]
    with pytest.raises(KeyboardInterrupt):
        train_stack(broken, heldout)
    assert [saved_step(one.run_dir / "checkpoint") for one in runs] == [7, 7, 7]
    train(runs[0].spec, runs[0].stream, heldout, run_dir=runs[0].run_dir)
    with pytest.raises(KeyboardInterrupt):  # one of two that go on is further than the other
        train(runs[1].spec, Stopping(1, window=4 * 15), heldout, run_dir=runs[1].run_dir)
    assert [saved_step(one.run_dir / "checkpoint") for one in runs] == [0, 14, 7]
    train_stack(runs, heldout)
    for one in runs:
        assert_same(one.run_dir, tmp_path / "alone" / one.run_dir.name)
        assert json.loads((one.run_dir / "config.json").read_text())["stacked"] == 3


def test_a_deadline_leaves_checkpoints_that_a_stack_goes_on_from(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    runs = members(spec, tmp_path / "stack")
    with pytest.raises(StoppedError, match=r"stopped at its deadline, at step 1$"):
        train_stack(runs, heldout, deadline=time.time())
    assert [saved_step(one.run_dir / "checkpoint") for one in runs] == [1, 1, 1]
    train_stack(runs, heldout, deadline=time.time() + 600)
    alone(runs[1:2], heldout, tmp_path / "alone")
    assert_same(runs[1].run_dir, tmp_path / "alone" / "1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_stack_is_the_eager_one_and_is_traced_once(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    program._compiled.cache_clear()
    try:
        before = counters["stats"]["unique_graphs"]
        spec = spec.model_copy(update={"steps": 4})
        compiled, eager = members(spec, tmp_path / "fast", compiled=True), members(spec, tmp_path / "eager")
        for one, other in zip(train_stack(compiled, heldout), train_stack(eager, heldout), strict=True):
            assert_frame_equal(one.ledger, other.ledger, rel_tol=1e-5)
        train_stack(members(spec, tmp_path / "again", compiled=True), heldout)
        assert counters["stats"]["unique_graphs"] == before + 1
    finally:
        torch._dynamo.reset()
        program._compiled.cache_clear()


def test_runs_of_other_shapes_are_refused(spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path) -> None:
    first, second, _ = members(spec, tmp_path)
    longer = replace(second, spec=second.spec.model_copy(update={"steps": 21}))
    with pytest.raises(TrainingError, match=r"^runs of a stack may differ in seed, stream, rate, [^\n]*alone$"):
        train_stack([first, longer], heldout)
    assert not first.run_dir.exists()
