from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from dq.errors import TrainingError
from dq.training import HeldoutTokens, RunSpec, train
from tests.progress import Heard
from tests.training.tokens import CyclicStream


class StoppedError(Exception):
    """Raised from inside a run to end it where no checkpoint is due."""


def train_and_die(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], run_dir: Path, last_step: int
) -> None:
    """In a child: end by SIGKILL after a step."""

    def kill(step: float) -> None:
        if step == last_step:
            os.kill(os.getpid(), signal.SIGKILL)

    train(spec, stream, heldout, run_dir=run_dir, progress=Heard(kill))


def stop_at(spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], run_dir: Path, last: int) -> None:
    def stop(step: float) -> None:
        if step == last:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(spec, stream, heldout, run_dir=run_dir, progress=Heard(stop))


def assert_equal_runs(first: Path, second: Path) -> None:
    for name in ("ledger.parquet", "documents.parquet", "model/model.safetensors", "config.json", "status.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_killed_process_resumes_to_the_same_run_bit_for_bit(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    train(spec, stream, heldout, run_dir=tmp_path / "whole")
    child = multiprocessing.get_context("spawn").Process(
        target=train_and_die, args=(spec, stream, heldout, tmp_path / "killed", 10)
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed/checkpoint/state.safetensors").exists()
    assert not (tmp_path / "killed/status.json").exists()

    heard = Heard()
    train(spec, stream, heldout, run_dir=tmp_path / "killed", progress=heard)
    assert heard.done[:2] == [7, 8]  # checkpoints are due every 7 steps
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")
    assert not (tmp_path / "killed/checkpoint").exists()


def test_a_run_stopped_anywhere_any_number_of_times_is_the_same_run(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    train(spec, stream, heldout, run_dir=tmp_path / "whole")
    for last in (1, 9, 17, 20):  # before a checkpoint, inside the trunk, in the fall, after the last step
        stop_at(spec, stream, heldout, tmp_path / "stopped", last)
    train(spec, stream, heldout, run_dir=tmp_path / "stopped")
    assert_equal_runs(tmp_path / "whole", tmp_path / "stopped")


def test_a_checkpoint_of_another_specification_is_refused(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path, 5)
    with pytest.raises(TrainingError, match="variant differ"):
        train(spec.model_copy(update={"variant": "other"}), stream, heldout, run_dir=tmp_path)


def test_a_damaged_checkpoint_is_refused_with_the_remedy(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path, 5)
    path = tmp_path / "checkpoint/state.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="delete the run's folder"):
        train(spec, stream, heldout, run_dir=tmp_path)
