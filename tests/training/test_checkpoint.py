from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dq.errors import StoppedError, TrainingError
from dq.training import HeldoutTokens, RunSpec, train
from tests.progress import Heard
from tests.training.tokens import CyclicStream


class HaltedError(Exception):
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
            raise HaltedError

    with pytest.raises(HaltedError):
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


def test_a_run_that_meets_its_deadline_leaves_a_checkpoint_and_is_the_same_run_in_the_end(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    for step in range(1, spec.steps):
        with pytest.raises(StoppedError, match=f"stopped at its deadline, at step {step}$"):
            train(spec, stream, heldout, run_dir=tmp_path / "late", deadline=0)
        assert (tmp_path / "late/checkpoint").exists()
    train(spec, stream, heldout, run_dir=tmp_path / "late", deadline=0)  # the last step ends the run
    train(spec, stream, heldout, run_dir=tmp_path / "whole", deadline=time.time() + 3600)
    assert_equal_runs(tmp_path / "late", tmp_path / "whole")


def test_a_checkpoint_of_another_specification_is_refused(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path, 5)
    with pytest.raises(TrainingError, match="stream_fingerprint differ"):
        train(spec.model_copy(update={"stream_fingerprint": "other"}), stream, heldout, run_dir=tmp_path)


def test_a_damaged_checkpoint_is_refused_with_the_remedy(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path, 5)
    path = tmp_path / "checkpoint/state.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="delete the run's folder"):
        train(spec, stream, heldout, run_dir=tmp_path)


def lie(path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], object]) -> None:
    """Rewrite a checkpoint with other tensors or another progress."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = dict(file.metadata())
    progress = json.loads(about["progress"])
    change(tensors, progress)
    save_file(tensors, path, metadata={**about, "progress": json.dumps(progress)})


LIES: dict[str, Callable[[dict[str, Tensor], dict[str, Any]], object]] = {
    "the last step of a run that never trained": lambda _, told: told.update(step=20, ledger=[], timing=[]),
    "a later step": lambda _, told: told.update(step=19),
    "more steps than there are": lambda _, told: told.update(step=21),
    "no step": lambda _, told: told.update(step=0),
    "a step that is no number": lambda _, told: told.update(step="7"),
    "no ledger": lambda _, told: told.update(ledger=[]),
    "rows of no ledger": lambda _, told: told.update(ledger=[3]),
    "another schema": lambda _, told: told.update(epoch=3),
    "another loss": lambda _, told: told["ledger"][0].update(loss_nats=1.0),
    "no finite loss": lambda _, told: told.update(pending_loss_nats=float("nan")),
    "weights that are no numbers": lambda tensors, _: tensors["model.norm.weight"].fill_(float("nan")),
    "weights of another type": lambda tensors, _: tensors.update(
        {"model.norm.weight": tensors["model.norm.weight"].half()}
    ),
    "weights of another shape": lambda tensors, _: tensors.update({"model.norm.weight": torch.ones(3)}),
    "moments of another shape": lambda tensors, _: tensors.update({"exp_avg.norm.weight": torch.ones(3)}),
    "no weights": lambda tensors, _: tensors.pop("model.norm.weight"),
    "an optimiser of another step": lambda tensors, _: tensors["step.norm.weight"].fill_(1),
}


@pytest.mark.parametrize("name", LIES)
def test_a_checkpoint_that_is_not_what_the_run_has_measured_is_refused(
    name: str, spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path, 9)
    path = tmp_path / "checkpoint/state.safetensors"
    lie(path, LIES[name])
    with pytest.raises(TrainingError, match=r"delete .*again") as caught:
        train(spec, stream, heldout, run_dir=tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_checkpoint_of_another_run_and_one_with_a_huge_header_are_refused(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    stop_at(spec, stream, heldout, tmp_path / "one", 9)
    other = spec.model_copy(update={"stream_fingerprint": "other"})
    stop_at(other, stream, heldout, tmp_path / "other", 9)
    path = tmp_path / "other/checkpoint/state.safetensors"
    path.write_bytes((tmp_path / "one/checkpoint/state.safetensors").read_bytes())
    with pytest.raises(TrainingError, match="of another run"):
        train(other, stream, heldout, run_dir=tmp_path / "other")
    save_file({"lm_head.weight": torch.zeros(2)}, path)
    with pytest.raises(TrainingError, match="no checkpoint of a run"):
        train(other, stream, heldout, run_dir=tmp_path / "other")
    for header in (2**62, 2**33, 5):
        path.write_bytes(header.to_bytes(8, "little") + b"[" * 1000)
        with pytest.raises(TrainingError, match="delete the run's folder"):
            train(other, stream, heldout, run_dir=tmp_path / "other")


def test_the_ledger_can_be_read_while_the_run_is_at_work(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    train(spec, stream, heldout, run_dir=tmp_path / "whole")
    stop_at(spec, stream, heldout, tmp_path / "begun", 9)
    whole, begun = (pl.read_parquet(tmp_path / name / "ledger.parquet") for name in ("whole", "begun"))
    assert 0 < len(begun) < len(whole) and begun.equals(whole.head(len(begun)))
    (tmp_path / "begun/ledger.parquet").write_bytes(b"damaged")
    train(spec, stream, heldout, run_dir=tmp_path / "begun")
    assert_equal_runs(tmp_path / "whole", tmp_path / "begun")
