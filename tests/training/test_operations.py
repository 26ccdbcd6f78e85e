"""The compiled loops of a CPU beside torch's own operations, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dq.training import loss as losses
from dq.training import operations
from dq.training.kernels import softmax
from dq.training.model import _rotation
from dq.training.operations import add_and_norm, attend, gate, rotate

Made = tuple[Tensor, ...]


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale
    return made.requires_grad_()


def with_gradients(function: Callable[..., Made], *inputs: Tensor) -> list[Tensor]:
    """What a function gives, and the gradients of its inputs by a random weighting of that."""
    given_ = [one.detach().clone().requires_grad_() for one in inputs]
    out = function(*given_)
    weights = [numbers(*one.shape, seed=9).detach() for one in out]
    torch.autograd.backward([torch.stack([(one * by).sum() for one, by in zip(out, weights, strict=True)]).sum()])
    return [*(one.detach() for one in out), *(one.grad for one in given_ if one.grad is not None)]


def assert_alike(monkeypatch: pytest.MonkeyPatch, function: Callable[..., Made], *inputs: Tensor) -> None:
    assert operations.has_kernels(inputs[0])
    ours = with_gradients(function, *inputs)
    with monkeypatch.context() as patch:
        for module in (operations, losses):
            patch.setattr(module, "has_kernels", lambda _x: False)
        theirs = with_gradients(function, *inputs)
    assert len(ours) == len(theirs) > len(inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5 * max(1, float(other.abs().max())))


@pytest.mark.parametrize("positions", [1, 2, 31, 32, 33, 127, 128, 129, 200, 256, 511, 512])
@pytest.mark.parametrize("heads", [1, 3])
def test_attention(monkeypatch: pytest.MonkeyPatch, positions: int, heads: int) -> None:
    rotation = _rotation(512, 16)[:positions]
    assert_alike(
        monkeypatch,
        lambda qkv_BTE: (attend(qkv_BTE, rotation, heads=heads),),
        numbers(2, positions, 3 * heads * 16, scale=2.0),
    )


def test_attention_over_more_positions_than_are_kept_is_torchs() -> None:
    qkv_BTE = numbers(1, 513, 3 * 16)
    with torch.no_grad():
        whole = attend(qkv_BTE, _rotation(513, 16), heads=1)
        torch.testing.assert_close(whole[:, :512], attend(qkv_BTE[:, :512], _rotation(512, 16), heads=1))


@pytest.mark.parametrize("width", [8, 32, 100])
def test_the_residual_stream_and_its_norm(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    inputs = (numbers(2, 5, width), numbers(2, 5, width, seed=1), numbers(width, seed=2))
    assert_alike(monkeypatch, add_and_norm, *inputs)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("width", [1, 7, 88])
def test_the_gated_activation(monkeypatch: pytest.MonkeyPatch, width: int, scale: float) -> None:
    assert_alike(monkeypatch, lambda x: (gate(x),), numbers(3, 4, 2 * width, scale=scale))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_the_loss_and_its_gradients(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    targets = torch.randint(0, 77, (300,), generator=torch.Generator().manual_seed(1))

    def both(hidden_ND: Tensor, head_VD: Tensor) -> Made:
        return losses.chunked_loss(hidden_ND, head_VD, targets)[None], losses.token_losses(
            hidden_ND.detach(), head_VD.detach(), targets
        )

    assert_alike(monkeypatch, both, numbers(300, 16, scale=scale), numbers(77, 16, seed=3))


def test_rotation_is_a_complex_product_and_keeps_lengths() -> None:
    x_BHTK, rotation_TP2 = numbers(2, 3, 16, 8).detach(), _rotation(16, 8)
    turned = rotate(x_BHTK, rotation_TP2)
    pairs, angles = (torch.view_as_complex(one.reshape(2, 3, 16, 4, 2)) for one in (x_BHTK, turned))
    torch.testing.assert_close(angles, pairs * torch.view_as_complex(rotation_TP2))
    torch.testing.assert_close(angles.abs(), pairs.abs())


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=80), st.data())
def test_softmax_of_any_scores(scores: list[float], data: st.DataObject) -> None:
    exact = np.array(scores, dtype=np.float64)
    exact -= exact.max()
    p = np.exp(exact) / np.exp(exact).sum()
    found = np.array([[scores]], dtype=np.float32)
    softmax.causal_softmax(found, len(scores) - 1)
    np.testing.assert_allclose(found[0, 0], p, rtol=2e-6, atol=1e-20)
    target = data.draw(st.integers(0, len(scores) - 1))
    nats = np.empty(1, dtype=np.float32)
    softmax.token_nats(np.array([scores], dtype=np.float32), np.array([target]), nats)
    assert nats[0] == pytest.approx(np.log(np.exp(exact).sum()) - exact[target], rel=2e-6, abs=1e-6)


def test_what_a_query_may_not_see_counts_for_nothing() -> None:
    scores = np.full((2, 40, 50), 7.0, dtype=np.float32)
    scores[:, :, 11:] = np.nan
    softmax.causal_softmax(scores[:, :1].copy(), 10)
    seen = scores[:, :1].copy()
    softmax.causal_softmax(seen, 10)
    np.testing.assert_allclose(seen[:, 0, :11], 1 / 11, rtol=1e-6)
    assert (seen[:, 0, 11:] == 0).all()
    gradient = np.full_like(seen, np.nan)
    gradient[:, 0, :11] = np.arange(11)
    softmax.causal_softmax_gradient(seen, gradient, 10)
    np.testing.assert_allclose(gradient[:, 0, :11], np.tile((np.arange(11) - 5) / 11, (2, 1)), rtol=1e-5, atol=1e-7)
    assert (gradient[:, 0, 11:] == 0).all()


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="the processor has no AVX-512")
def test_vectors_are_as_wide_as_the_processor_has_them() -> None:
    cached: Any = softmax.loss_and_gradient
    kernel = numba.njit(fastmath=True)(cached.py_func)  # code from a cache cannot be looked at
    kernel(np.zeros((1, 64), dtype=np.float32), np.zeros(1, dtype=np.int64))
    assert all("zmm" in code for code in kernel.inspect_asm().values())


@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf])
def test_what_is_not_finite_stays_so(bad: float) -> None:
    logits = np.zeros((1, 40), dtype=np.float32)
    logits[0, 33] = bad
    assert not math.isfinite(softmax.loss_and_gradient(logits.copy(), np.array([3])))
    nats = np.zeros(1, dtype=np.float32)
    softmax.token_nats(logits.copy(), np.array([3]), nats)
    assert not np.isfinite(nats[0])
    softmax.causal_softmax(logits[None], 39)
    assert np.isnan(logits).any()
    with torch.no_grad():
        x_BTE = torch.zeros(1, 4, 96)
        x_BTE[0, 1, 0] = bad
        assert not attend(x_BTE, _rotation(4, 32), heads=1)[0, 1:].isfinite().all()
        assert not gate(x_BTE).isfinite().all()
        assert not add_and_norm(x_BTE, x_BTE, torch.ones(96))[1].isfinite().all()


def test_other_devices_formats_and_compilers_have_torchs_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1, 2, 6)
    assert operations.has_kernels(x)
    assert not operations.has_kernels(x.bfloat16()) and not operations.has_kernels(x.to("meta"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not operations.has_kernels(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not operations.has_kernels(x)
