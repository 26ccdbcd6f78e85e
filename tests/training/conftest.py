"""A real, learnable stream and held-out sets, small enough for a second of training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dq.training import RunSpec, TrainingConfig
from dq.training.stream import HeldoutTokens
from tests.training.tokens import VOCABULARY, CyclicStream, make_heldout


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Every test runs as a worker does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def config() -> TrainingConfig:
    """A context of 32 and steps of 128 tokens."""
    return TrainingConfig(context=32, batch_windows=4, curve_points=3, checkpoint_every_steps=7)


@pytest.fixture
def spec(config: TrainingConfig) -> RunSpec:
    """Twenty steps of the smallest size."""
    return RunSpec(
        size="0.1M",
        seed=3,
        steps=20,
        vocabulary_size=VOCABULARY,
        bos_id=0,
        stream_fingerprint="s",
        heldout_fingerprint="h",
        training=config,
    )


@pytest.fixture
def stream() -> CyclicStream:
    """More than twenty steps of 128 tokens."""
    return CyclicStream(n_tokens=3000, context=32)


@pytest.fixture
def heldout() -> list[HeldoutTokens]:
    """Two sets: one of 25 documents around the context's length, one of 12."""
    return [make_heldout("near", documents=25, seed=1), make_heldout("far", documents=12, seed=2)]
