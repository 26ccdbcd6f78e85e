"""Runs that share their first steps are, bit for bit, the runs that they would have been alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq.errors import StoppedError, TrainingError
from dq.training import HeldoutTokens, RunFolder, RunSpec, train
from dq.training.trunk import Branch, same_windows, shared_steps
from tests.training.tokens import CyclicStream

Spent = list[int]


class Counted(CyclicStream):
    """Counts the steps for which windows were asked."""

    def __init__(self) -> None:
        super().__init__(n_tokens=3000, context=32)
        self.asked: Spent = []

    def windows(self, first: int, count: int):  # type: ignore[no-untyped-def]
        self.asked.append(first // 4 + 1)
        return super().windows(first, count)


@pytest.fixture
def long(spec: RunSpec) -> RunSpec:
    """Twenty steps at a stated rate."""
    stated = {"peak_learning_rate": 0.01, "weight_decay": 0.1, "warmup_tokens": 256}
    return spec.model_copy(update={"training": spec.training.model_copy(update=stated)})


def of_steps(spec: RunSpec, steps: int) -> RunSpec:
    return spec.model_copy(update={"steps": steps, "stream_fingerprint": f"of {steps}"})


def test_what_runs_share_ends_where_the_shorter_one_cools(long: RunSpec) -> None:
    assert [shared_steps(long, of_steps(long, n)) for n in (20, 10, 5, 21)] == [16, 8, 4, 0]
    for change in (
        {"seed": 4},
        {"size": "0.3M"},
        {"training": long.training.model_copy(update={"peak_learning_rate": 0.02})},
        {"training": long.training.model_copy(update={"warmup_tokens": None})},
    ):
        assert shared_steps(long, of_steps(long, 10).model_copy(update=change)) == 0
    warming = long.model_copy(update={"training": long.training.model_copy(update={"warmup_tokens": 128 * 9})})
    assert shared_steps(warming, of_steps(warming, 12)) == 10 and shared_steps(warming, of_steps(warming, 10)) == 0


def test_streams_are_compared_window_by_window() -> None:
    one, other = CyclicStream(n_tokens=3000, context=32), CyclicStream(n_tokens=3000, context=32)
    assert same_windows(one, other, count=90)
    original = other.windows
    other.windows = lambda first, count: original(first + (first + count > 50), count)  # type: ignore[method-assign]
    assert not same_windows(one, other, count=90) and same_windows(one, other, count=50)


def test_branches_are_bit_for_bit_what_they_are_alone(
    long: RunSpec, stream: CyclicStream, heldout: list[HeldoutTokens], tmp_path: Path
) -> None:
    specs = {n: of_steps(long, n) for n in (20, 10, 6)}
    for n, spec in specs.items():
        train(spec, stream, heldout, run_dir=tmp_path / f"alone/{n}")
    branches = [Branch(specs[n], stream, tmp_path / f"shared/{n}") for n in (10, 6)]
    train(specs[20], stream, heldout, run_dir=tmp_path / "shared/20", branches=branches)
    for n in (10, 6):
        assert not RunFolder(tmp_path / f"shared/{n}").status.exists()
        own = Counted()
        train(specs[n], own, heldout, run_dir=tmp_path / f"shared/{n}")
        assert own.asked == {10: [9, 10], 6: [6]}[n]
        origin = json.loads((tmp_path / f"shared/{n}/trunk.json").read_text())
        assert origin["run"] == "20" and origin["steps"] == shared_steps(specs[20], specs[n])
        assert origin["training_seconds"] > 0
    for n in specs:
        alone, shared = (RunFolder(tmp_path / f"{how}/{n}").digests() for how in ("alone", "shared"))
        assert alone == shared and "model/model.safetensors" in alone


def test_a_trunk_that_was_interrupted_goes_on_for_its_branches_too(
    long: RunSpec, stream: CyclicStream, heldout: list[HeldoutTokens], tmp_path: Path
) -> None:
    specs = {n: of_steps(long, n) for n in (20, 10, 15)}
    for n, spec in specs.items():
        train(spec, stream, heldout, run_dir=tmp_path / f"alone/{n}")
    branches = [Branch(specs[n], stream, tmp_path / f"shared/{n}") for n in (10, 15)]
    for _ in range(25):  # one step a call: a deadline that has passed stops after the step at hand
        try:
            train(specs[20], stream, heldout, run_dir=tmp_path / "shared/20", branches=branches, deadline=1.0)
        except StoppedError:
            continue
        break
    for n in (10, 15):
        assert json.loads((tmp_path / f"shared/{n}/trunk.json").read_text())["steps"] == 0.8 * n
        train(specs[n], stream, heldout, run_dir=tmp_path / f"shared/{n}")
    for n in specs:
        assert RunFolder(tmp_path / f"alone/{n}").digests() == RunFolder(tmp_path / f"shared/{n}").digests()


def test_a_branch_that_was_begun_alone_is_left_alone(
    long: RunSpec, stream: CyclicStream, heldout: list[HeldoutTokens], tmp_path: Path
) -> None:
    short = of_steps(long, 10)
    with pytest.raises(StoppedError):
        train(short, stream, heldout, run_dir=tmp_path / "short", deadline=1.0)
    before = (tmp_path / "short/checkpoint/state.safetensors").read_bytes()
    train(long, stream, heldout, run_dir=tmp_path / "long", branches=[Branch(short, stream, tmp_path / "short")])
    assert (tmp_path / "short/checkpoint/state.safetensors").read_bytes() == before
    assert not (tmp_path / "short/trunk.json").exists()


def test_a_damaged_branch_is_no_fault_of_the_run_that_it_branches_off(
    long: RunSpec, stream: CyclicStream, heldout: list[HeldoutTokens], tmp_path: Path
) -> None:
    short = of_steps(long, 10)
    (tmp_path / "short").mkdir()
    (tmp_path / "short/config.json").write_text("{")
    branches = [Branch(short, stream, tmp_path / "short")]
    assert train(long, stream, heldout, run_dir=tmp_path / "long", branches=branches).status == "complete"
    with pytest.raises(TrainingError, match="delete the folder to run again"):
        train(short, stream, heldout, run_dir=tmp_path / "short")
