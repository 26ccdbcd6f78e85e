"""Processes that share a run: the windows of a step are divided, and everything else is as in a run alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from dq.errors import TrainingError
from dq.executors import LocalExecutor, Placement, WorkerDiedError
from dq.training import HeldoutTokens, RunFolder, RunSpec, read_run, train
from dq.training.stacking import StackedRun, train_stack
from tests.training.tokens import CyclicStream, make_heldout

HELDOUT = [make_heldout("near", documents=25, seed=1), make_heldout("far", documents=12, seed=2)]


@dataclass(frozen=True)
class Share:
    """One of two processes; the second may die at a step."""

    spec: RunSpec
    folder: Path
    placement: Placement
    dies_at_step: int | None = None


class Deadly(CyclicStream):
    """Kills the process that reads a window."""

    def __init__(self, window: int) -> None:
        super().__init__(n_tokens=3000, context=32)
        self.deadly = window

    def windows(self, first: int, count: int) -> NDArray[np.int32]:
        if first >= self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().windows(first, count)


def train_share(share: Share) -> None:
    dies = share.placement.rank == 1 and share.dies_at_step is not None
    stream = Deadly(4 * (share.dies_at_step or 0)) if dies else CyclicStream(n_tokens=3000, context=32)
    train(share.spec, stream, HELDOUT, run_dir=share.folder, placement=share.placement)


def train_together(spec: RunSpec, folder: Path, *, meeting: str, dies_at_step: int | None = None) -> None:
    shares = [
        Share(spec, folder, Placement("cpu", rank, 2, f"file://{folder.parent / meeting}"), dies_at_step)
        for rank in range(2)
    ]
    LocalExecutor(2).attempt(train_share, shares, on_done=lambda _: None, on_report=None, isolated=True)


def with_training(spec: RunSpec, **changes: object) -> RunSpec:
    return spec.model_copy(update={"training": spec.training.model_copy(update=changes)})


@pytest.mark.parametrize("microbatch_windows", [None, 1])
def test_two_processes_train_the_run_of_one_to_rounding(
    spec: RunSpec, stream: CyclicStream, tmp_path: Path, microbatch_windows: int | None
) -> None:
    spec = with_training(spec, microbatch_windows=microbatch_windows)
    alone = train(spec, stream, HELDOUT, run_dir=tmp_path / "alone")
    train_together(spec, tmp_path / "together", meeting="m")
    together = read_run(tmp_path / "together")
    assert together is not None and (alone.processes, together.processes) == (1, 2)
    assert_frame_equal(alone.ledger, together.ledger, rel_tol=1e-5)
    assert_frame_equal(alone.documents, together.documents, rel_tol=1e-4)
    beside = StackedRun(spec.model_copy(update={"seed": 9}), stream, tmp_path / "beside")
    stacked, _ = train_stack([StackedRun(spec, stream, tmp_path / "stacked"), beside], HELDOUT)
    assert_frame_equal(stacked.ledger, together.ledger, rel_tol=1e-5)  # three ways to the same steps
    assert {path.name for path in (tmp_path / "together").iterdir()} == {
        path.name for path in (tmp_path / "alone").iterdir()
    }


def test_a_shared_run_goes_on_bit_for_bit_after_a_process_is_killed(spec: RunSpec, tmp_path: Path) -> None:
    train_together(spec, tmp_path / "whole", meeting="a")
    with pytest.raises(WorkerDiedError):
        train_together(spec, tmp_path / "killed", meeting="b", dies_at_step=12)
    assert RunFolder(tmp_path / "killed").checkpoint.exists()
    train_together(spec, tmp_path / "killed", meeting="c")
    for name in ("ledger.parquet", "documents.parquet", "model/model.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


@pytest.mark.slow
def test_a_run_that_torchrun_starts_is_shared(spec: RunSpec, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from dq.executors import Placement\n"
        "from dq.training import RunSpec, train\n"
        "from tests.training.test_team import HELDOUT\n"
        "from tests.training.tokens import CyclicStream\n"
        "spec = RunSpec.model_validate_json(sys.argv[1])\n"
        "place = Placement('cpu', int(os.environ['RANK']), int(os.environ['WORLD_SIZE']))\n"
        "stream = CyclicStream(n_tokens=3000, context=32)\n"
        "record = train(spec, stream, HELDOUT, run_dir=Path(sys.argv[2]), placement=place)\n"
        "assert record.status == 'complete' and record.processes == 2\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    root = Path(__file__).parents[2]
    subprocess.run(
        [*command, spec.model_dump_json(), str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    train_together(spec, tmp_path / "together", meeting="m")
    for name in ("ledger.parquet", "documents.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "together" / name).read_bytes()


def test_steps_that_cannot_be_divided_are_refused_before_anyone_waits(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="a step of 4 windows cannot be shared by 3 devices"):
        train(spec, stream, heldout, run_dir=tmp_path, placement=Placement(world=3))
