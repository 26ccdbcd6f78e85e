"""A tape's loss and gradients beside autograd through torch's own operations in float64."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dq.training import HeldoutTokens, RunSpec, train
from dq.training.model import Llama, initialise
from dq.training.operations import has_kernels
from dq.training.program import Program, make_program, summed_loss
from dq.training.sizes import find_size
from dq.training.tape import Tape
from tests.training.tokens import CyclicStream


def a_model(size: str, *, vocabulary_size: int, context: int) -> Llama:
    model = Llama(find_size(size), vocabulary_size=vocabulary_size, context=context)
    initialise(model, seed=1)
    return model


def some_windows(model: Llama, count: int, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.vocabulary_size, (count, model.context + 1), generator=generator)


def exactly(model: Llama, windows_BT: Tensor) -> tuple[float, list[Tensor]]:
    """Loss and gradients in float64, for which there are no compiled loops."""
    double = deepcopy(model).double()
    assert not has_kernels(double.head_VD)
    loss = summed_loss(double, windows_BT)
    torch.autograd.backward(loss)
    return float(loss.detach()), [one.grad for one in double.parameters() if one.grad is not None]


@pytest.mark.parametrize(
    ("size", "vocabulary_size", "context", "windows"),
    [
        ("0.1M", 2, 1, 1),
        ("0.1M", 50, 127, 1),  # one block of queries, one piece of the loss
        ("0.3M", 300, 129, 1),  # the last of each is short
        ("0.3M", 50, 200, 3),
        ("1.1M", 50, 512, 1),
    ],
)
def test_loss_and_gradients(size: str, vocabulary_size: int, context: int, windows: int) -> None:
    model = a_model(size, vocabulary_size=vocabulary_size, context=context)
    tape = Tape(model, windows=windows, scale=0.25)
    tape.gradients(some_windows(model, windows, seed=9))  # nothing of it stays
    windows_BT = some_windows(model, windows)
    found = float(tape.gradients(windows_BT))
    loss, exact = exactly(model, windows_BT)
    assert found == pytest.approx(loss, rel=1e-6)
    ours = [one.grad for one in model.parameters() if one.grad is not None]
    assert len(ours) == len(exact) == len(list(model.parameters()))
    for grad, other in zip(ours, exact, strict=True):
        assert float((4 * grad.double() - other).norm()) < 3e-6 * float(other.norm()) + 1e-6


def test_it_follows_the_weights_and_says_so_where_they_have_moved() -> None:
    model = a_model("0.1M", vocabulary_size=20, context=8)
    tape, windows_BT = Tape(model, windows=2, scale=1.0), some_windows(model, 2)
    first = float(tape.gradients(windows_BT))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    assert float(tape.gradients(windows_BT)) == pytest.approx(exactly(model, windows_BT)[0], rel=1e-6) != first
    model.norm.weight.data = model.norm.weight.detach().clone()
    with pytest.raises(AssertionError, match="moved"):
        tape.gradients(windows_BT)


def test_its_memory_is_free_when_nobody_has_it() -> None:
    tape = Tape(a_model("0.1M", vocabulary_size=20, context=8), windows=1, scale=1.0)
    gone = weakref.ref(tape)
    gc.disable()
    del tape
    gc.enable()
    assert gone() is None


def test_what_is_not_finite_stays_so() -> None:
    model = a_model("0.1M", vocabulary_size=20, context=8)
    tape = Tape(model, windows=1, scale=1.0)
    with torch.no_grad():
        model.norm.weight[3] = float("nan")
    assert torch.isnan(tape.gradients(some_windows(model, 1)))
    assert model.norm.weight.grad is not None and torch.isnan(model.norm.weight.grad).any()


def test_a_run_by_tape_is_the_run_by_autograd_to_rounding(
    spec: RunSpec,
    stream: CyclicStream,
    heldout: Sequence[HeldoutTokens],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taped = train(spec, stream, heldout, run_dir=tmp_path / "taped")
    monkeypatch.setattr(Program, "_tape", None)
    eager = train(spec, stream, heldout, run_dir=tmp_path / "eager")
    assert taped.status == eager.status == "complete"
    for name in ("train_loss_nats", "bits_per_byte"):
        np.testing.assert_allclose(taped.ledger[name], eager.ledger[name], rtol=1e-4)


def test_who_has_a_tape(spec: RunSpec) -> None:
    def made(**changes: object) -> Program:
        changed = spec.model_copy(update={"training": spec.training.model_copy(update=changes)})
        return make_program(changed, device=torch.device("cpu"))

    for program in (made(), made(microbatch_windows=4), made(context=512)):
        assert program._tape is not None
    for program in (made(microbatch_windows=2), made(context=513), made(precision="bf16")):
        assert program._tape is None
    assert replace(made(), is_compiled=True)._tape is None
