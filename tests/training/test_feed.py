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
from dq.training import HeldoutTokens, RunSpec, feed, operations, train
from dq.training import loss as losses
from dq.training.feed import stretches, windows_of
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


CPU = torch.device("cpu")


def coming(first: int, *, stops: Sequence[int] = (), last: int = 20) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in stretches(first, last, stops=stops, device=CPU)]


def test_stretches_are_single_steps_on_a_cpu_and_long_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert coming(19) == [(19, 19), (20, 20)]
    monkeypatch.setitem(feed.STEPS_AT_ONCE, "cpu", 8)
    assert coming(1) == [(1, 8), (9, 16), (17, 20)]
    assert coming(1, stops=[0, 3, 4, 20, 99]) == [(1, 3), (4, 4), (5, 12), (13, 20)]
    assert coming(4, stops=[3, 4]) == [(4, 4), (5, 12), (13, 20)]
    assert coming(21) == []


def test_the_next_windows_are_fetched_meanwhile_and_no_more(spec: RunSpec) -> None:
    stream = WatchedStream()
    with windows_of(spec, stream, stretches(1, 20, stops=[], device=CPU), device=CPU) as steps:
        next(steps)
        until(lambda: stream.asked == [0, 4])  # without being asked for
        next(steps)
        until(lambda: stream.asked == [0, 4, 8])
    assert stream.asked == [0, 4, 8] and stream.is_left


@pytest.mark.parametrize("at_once", [1, 6])
@pytest.mark.parametrize("first_step", [1, 9, 20, 21])
def test_windows_are_those_of_the_stream_from_any_step_to_the_last(
    spec: RunSpec, first_step: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(feed.STEPS_AT_ONCE, "cpu", at_once)
    with windows_of(spec, WatchedStream(), stretches(first_step, 20, stops=[10], device=CPU), device=CPU) as fetched:
        found = [(step, w_BT) for one, w_SBT in fetched for step, w_BT in enumerate(w_SBT, start=one.first)]
    expected = CyclicStream(n_tokens=3000, context=32)
    assert [step for step, _ in found] == list(range(first_step, 21))
    for step, windows_BT in found:
        assert windows_BT.dtype == torch.int64
        np.testing.assert_array_equal(windows_BT.numpy(), expected.windows(4 * (step - 1), 4))


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


@pytest.mark.parametrize("at_once", [1, 5])
def test_the_device_is_asked_once_a_stretch(
    spec: RunSpec,
    stream: CyclicStream,
    heldout: Sequence[HeldoutTokens],
    tmp_path: Path,
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(feed.STEPS_AT_ONCE, "cpu", at_once)
    for module in (operations, losses):  # what a GPU does: on a CPU arrays of NumPy share a tensor's memory
        monkeypatch.setattr(module, "has_kernels", lambda _x: False)
    training = spec.training.model_copy(update={"microbatch_windows": 1})
    reads: list[int] = []
    with _Scalars() as scalars:
        heard = Heard(lambda _done: reads.append(scalars.read))
        train(spec.model_copy(update={"training": training}), stream, heldout, run_dir=tmp_path, progress=heard)
    between, ends = np.diff(reads), np.array([int(step) for step in heard.done[1:]])
    evaluated = np.isin(ends, [1, 4, 7, 14, 16, 18, 20])  # and checkpoints, which read weights
    assert len(ends) == (20 if at_once == 1 else 8)
    assert (between[~evaluated] == 1).all()


def test_steps_trained_at_once_are_those_trained_one_by_one(
    spec: RunSpec, heldout: Sequence[HeldoutTokens], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = CyclicStream(n_tokens=3000, context=32)
    one = train(spec, stream, heldout, run_dir=tmp_path / "one")
    monkeypatch.setitem(feed.STEPS_AT_ONCE, "cpu", 6)
    many = train(spec, stream, heldout, run_dir=tmp_path / "many")
    assert one.ledger.equals(many.ledger)
    spoilt = spec.model_copy(update={"training": spec.training.model_copy(update={"peak_learning_rate": 1e30})})
    steps = []
    for at_once in (1, 6):
        monkeypatch.setitem(feed.STEPS_AT_ONCE, "cpu", at_once)
        record = train(spoilt, stream, heldout, run_dir=tmp_path / f"spoilt{at_once}")
        steps.append((record.status, record.step))
    assert steps[0] == steps[1] and steps[0][0] == "diverged"
