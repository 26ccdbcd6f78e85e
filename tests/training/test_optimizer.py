"""Steps over parameters that lie side by side are those of torch's AdamW and clipping."""

from __future__ import annotations

import pytest
import torch

from dq.training import TrainingConfig, find_size
from dq.training.model import Llama, initialise
from dq.training.optimizer import FlatAdamW, lay_out, make_optimizer, set_learning_rate, side_by_side

CLIP = 0.5


def a_model() -> Llama:
    model = Llama(find_size("0.1M"), vocabulary_size=10, context=4)
    initialise(model, seed=1)
    return model


def give_gradients(model: Llama, *, norm: float, seed: int) -> None:
    """Random ones, of that norm all together, in the memory that is there."""
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(one.shape, generator=generator) for one in model.parameters()]
    length = torch.cat([one.flatten() for one in made]).double().norm()
    for parameter, values in zip(model.parameters(), made, strict=True):
        parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        parameter.grad.copy_(values * norm / length)


def test_they_are_those_of_torch_and_go_on_from_its_state() -> None:
    models = [a_model(), a_model()]
    optimizers = [make_optimizer(model, TrainingConfig(weight_decay=0.1)) for model in models]
    flat = None
    for step, length in enumerate((3.0, 0.2, 3.0, 0.499, 0.501)):
        if step == 2:
            lay_out(models[1])
            flat = FlatAdamW(optimizers[1], clip=CLIP)
        for model, optimizer in zip(models, optimizers, strict=True):
            give_gradients(model, norm=length, seed=step)
            set_learning_rate(optimizer, 1e-2)
        for model, optimizer in zip(models, optimizers, strict=True):
            if flat and model is models[1]:
                norm = flat.step()
            else:
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
                optimizer.step()
            assert float(norm) == pytest.approx(length, rel=1e-6)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)
        theirs, ours = optimizers[0].state[one], optimizers[1].state[other]
        assert float(ours["step"]) == float(theirs["step"]) == 5
        for name in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-9)


def test_a_norm_that_is_not_finite_spoils_all_weights() -> None:
    model = a_model()
    optimizer = make_optimizer(model, TrainingConfig())
    lay_out(model)
    give_gradients(model, norm=1.0, seed=0)
    assert model.norm.weight.grad is not None
    model.norm.weight.grad[3] = float("nan")
    set_learning_rate(optimizer, 1e-2)
    assert torch.isnan(FlatAdamW(optimizer, clip=CLIP).step())
    assert all(torch.isnan(one).all() for one in model.parameters())


def test_what_does_not_lie_side_by_side_is_refused() -> None:
    first, second, third = torch.zeros(3, 4)
    assert len(side_by_side([first, second, third])) == 12
    with pytest.raises(AssertionError, match="side by side"):
        side_by_side([first, third])
