"""One optimiser step: the compiled one is the eager one to rounding, and a shape is compiled once for all runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from dq.errors import TrainingError
from dq.training import HeldoutTokens, RunSpec, program, train
from dq.training.model import Llama
from tests.training.tokens import CyclicStream

COMPILE = torch.compile


def compiled(spec: RunSpec, **changes: object) -> RunSpec:
    return spec.model_copy(update={"training": spec.training.model_copy(update={"compiled": True, **changes})})


def use_backend(monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    """Traced, differentiated and guarded as for any device, but nothing generated: seconds, not minutes."""
    torch._dynamo.reset()
    program._compiled.cache_clear()
    monkeypatch.setattr(torch, "compile", partial(COMPILE, backend=backend))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    torch._dynamo.reset()
    program._compiled.cache_clear()


def assert_near(
    one: Path, other: Path, *, spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens]
) -> None:
    eager = train(spec, stream, heldout, run_dir=one).ledger
    fast = train(compiled(spec), stream, heldout, run_dir=other).ledger
    assert eager.columns == fast.columns and len(eager) == len(fast)
    np.testing.assert_allclose(fast["bits_per_byte"], eager["bits_per_byte"], rtol=1e-5)
    np.testing.assert_allclose(fast["train_loss_nats"], eager["train_loss_nats"], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_run_is_the_eager_run_to_rounding(
    spec: RunSpec,
    stream: CyclicStream,
    heldout: Sequence[HeldoutTokens],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_backend(monkeypatch, "aot_eager")
    assert_near(tmp_path / "eager", tmp_path / "fast", spec=spec, stream=stream, heldout=heldout)
    graphs = counters["stats"]["unique_graphs"]
    assert graphs >= 1
    for seed in (7, 8):  # other weights, the same shape: nothing is compiled again
        train(compiled(spec).model_copy(update={"seed": seed}), stream, heldout, run_dir=tmp_path / f"{seed}")
    assert counters["stats"]["unique_graphs"] == graphs
    train(compiled(spec, microbatch_windows=2), stream, heldout, run_dir=tmp_path / "parts")
    assert counters["stats"]["unique_graphs"] == graphs + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_compiled_for_this_machine_is_the_eager_run_to_rounding(
    spec: RunSpec, stream: CyclicStream, heldout: Sequence[HeldoutTokens], tmp_path: Path
) -> None:
    assert_near(tmp_path / "eager", tmp_path / "fast", spec=spec, stream=stream, heldout=heldout)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_cannot_be_compiled_is_one_line(
    spec: RunSpec,
    stream: CyclicStream,
    heldout: Sequence[HeldoutTokens],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no C++ compiler\nand more")

    use_backend(monkeypatch, broken)
    with pytest.raises(TrainingError, match=r"^the model cannot be compiled here \(no C\+\+ compiler\); [^\n]*(\n|$)"):
        train(compiled(spec), stream, heldout, run_dir=tmp_path)


def test_eager_is_the_default_on_a_cpu(spec: RunSpec) -> None:
    made = program.make_program(spec, device=torch.device("cpu"))
    assert not made.is_compiled and made.loss is program.summed_loss and isinstance(made.model, Llama)
