"""The thread that fetches windows: one step ahead, the same windows from any step, gone when the run is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dq.errors import TrainingError
from dq.training import HeldoutTokens, RunSpec, train
from dq.training.feed import step_windows
from tests.processes import until
from tests.progress import Heard
from tests.training.tokens import CyclicStream


class WatchedStream(CyclicStream):
    """Notes which windows are asked for and by which threads; fails at one."""

    def __init__(self, *, fails_at: int = -1) -> None:
        super().__init__(n_tokens=3000, context=32)
        self.asked: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.fails_at = fails_at

    def windows(self, first: int, count: int) -> NDArray[np.int32]:
        self.threads.add(threading.current_thread())
        self.asked.append(first)
        if first == self.fails_at:
            raise OSError("the pool's disk is gone")
        return super().windows(first, count)

    @property
    def is_left(self) -> bool:
        """It was read in another thread, which has ended."""
        return threading.current_thread() not in self.threads and not any(one.is_alive() for one in self.threads)


def test_the_next_windows_are_fetched_meanwhile_and_no_more(spec: RunSpec) -> None:
    stream = WatchedStream()
    with step_windows(spec, stream, first_step=1) as steps:
        next(steps)
        until(lambda: stream.asked == [0, 4])  # without being asked for
        next(steps)
        until(lambda: stream.asked == [0, 4, 8])
    assert stream.asked == [0, 4, 8] and stream.is_left


@pytest.mark.parametrize("first_step", [1, 9, 20, 21])
def test_windows_are_those_of_the_stream_from_any_step_to_the_last(spec: RunSpec, first_step: int) -> None:
    stream = WatchedStream()
    with step_windows(spec, stream, first_step=first_step) as steps:
        found = [windows_BT.numpy() for windows_BT in steps]
    expected = CyclicStream(n_tokens=3000, context=32)
    assert len(found) == 21 - first_step
    for step, windows_BT in enumerate(found, start=first_step):
        assert windows_BT.dtype == np.int64
        np.testing.assert_array_equal(windows_BT, expected.windows(4 * (step - 1), 4))
    assert stream.asked == [4 * (step - 1) for step in range(first_step, 21)]


def test_an_error_of_the_stream_comes_in_its_step_and_leaves_no_thread(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    heard, stream = Heard(), WatchedStream(fails_at=4 * 9)
    with pytest.raises(OSError, match="the pool's disk is gone"):
        train(spec, stream, heldout, run_dir=tmp_path, progress=heard)
    assert heard.done[-1] == 9  # whole steps were trained before it
    assert stream.is_left
    train(spec, WatchedStream(), heldout, run_dir=tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TrainingError])
def test_an_interrupted_run_leaves_no_thread(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path, error: type[BaseException]
) -> None:
    def stop(step: float) -> None:
        if step == 5:
            raise error

    stream = WatchedStream()
    with pytest.raises(error):
        train(spec, stream, heldout, run_dir=tmp_path, progress=Heard(stop))
    assert stream.is_left


class _Scalars(torch.overrides.TorchFunctionMode):
    """Counts what Python reads out of tensors."""

    READS = (torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.__float__, torch.Tensor.__bool__, torch.Tensor.numpy)

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.read += func in self.READS
        return func(*args, **(kwargs or {}))


def test_the_device_is_asked_once_a_step(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    training = spec.training.model_copy(update={"microbatch_windows": 1})
    reads: list[int] = []
    with _Scalars() as scalars:
        heard = Heard(lambda _done: reads.append(scalars.read))
        train(spec.model_copy(update={"training": training}), stream, heldout, run_dir=tmp_path, progress=heard)
    between = np.diff(reads)
    assert len(between) == 20
    evaluated = np.isin(np.arange(1, 21), [1, 4, 7, 14, 16, 18, 20])  # and checkpoints, which read weights
    assert (between[~evaluated] == 1).all()
