"""Losses of tokens beside torch's own operations in float64."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor

from dq.training.forward import can_record
from dq.training.model import Llama, initialise
from dq.training.operations import LONGEST
from dq.training.precision import Precision, autocast
from dq.training.scoring import Scorer
from dq.training.sizes import find_size


def a_model(size: str, *, context: int, vocabulary_size: int = 70) -> Llama:
    model = Llama(find_size(size), vocabulary_size=vocabulary_size, context=context)
    initialise(model, seed=1)
    return model


def some_ids(model: Llama, *shape: int) -> Tensor:
    return torch.randint(model.vocabulary_size, shape, generator=torch.Generator().manual_seed(sum(shape)))


def exactly(model: Llama, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
    with torch.no_grad():
        log_p_BTV = torch.log_softmax(deepcopy(model).double()(ids_BT), dim=-1)
    return -log_p_BTV.gather(2, targets_BT[..., None]).flatten()


@pytest.mark.parametrize("size", ["0.1M", "0.3M"])
def test_any_order_of_shapes(size: str) -> None:
    """A larger one takes the place of the memory that smaller ones use, and both go on."""
    model = a_model(size, context=260)
    scorer = Scorer(model)
    for shape in [(2, 5), (1, 260), (3, 129), (2, 5), (1, 1), (4, 260), (3, 129), (1, 260)]:
        ids_BT, targets_BT = some_ids(model, *shape), some_ids(model, *shape).flip(1)
        nats_N = scorer.nats(ids_BT, targets_BT)
        assert nats_N.dtype == torch.float32 and not nats_N.requires_grad
        np.testing.assert_allclose(nats_N, exactly(model, ids_BT, targets_BT), rtol=2e-6, atol=2e-6)


def test_what_was_given_stays_when_more_is_asked_for() -> None:
    model = a_model("0.1M", context=16)
    scorer, ids_BT, others_BT = Scorer(model), some_ids(model, 2, 16), some_ids(model, 2, 16).flip(0)
    first = scorer.nats(ids_BT, others_BT)
    before = first.clone()
    assert not torch.equal(scorer.nats(others_BT, ids_BT), before)
    assert torch.equal(first, before)


def test_where_calls_are_not_recorded() -> None:
    cases: list[tuple[int, Precision, float]] = [(LONGEST + 1, "fp32", 1e-5), (16, "bf16", 0.1)]
    for context, precision, tolerance in cases:
        model = a_model("0.1M", context=context)
        ids_BT, targets_BT = some_ids(model, 2, 16), some_ids(model, 2, 16).flip(1)
        with autocast(precision, device=torch.device("cpu")):
            assert not can_record(model)
            nats_N = Scorer(model).nats(ids_BT, targets_BT)
        np.testing.assert_allclose(nats_N, exactly(model, ids_BT, targets_BT), rtol=tolerance)


def test_what_is_not_finite_stays_so() -> None:
    model = a_model("0.1M", context=16)
    with torch.no_grad():
        model.norm.weight[3] = float("nan")
    ids_BT = some_ids(model, 2, 16)
    assert torch.isnan(Scorer(model).nats(ids_BT, ids_BT)).all()
