"""What a layer does between its matrix products, each operation in two forms that are equal to rounding.

Torch's own operations serve GPUs, compilers and half precision. In float32 on a CPU the products of a small model are
a third of a step, and passes over memory, copies and softmaxes the rest: there each operation is one compiled loop
forward and one backward (`dq.training.kernels`), which makes a step 1.2 times as fast (0.1M to 1.1M).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dq.training.kernels.layers import gated, gated_gradient, join_heads, norm_gradient, norm_of_sum, split_heads
from dq.training.kernels.softmax import causal_softmax, causal_softmax_gradient

RMS_EPSILON = 1e-5
_QUERIES = 128  # worked on together, later keys left out; measured of 256: 64 are alike, all take 1.2 times as long
LONGEST = 512  # positions of which probabilities are kept: their memory grows by the square (512 was not tuned)


def has_kernels(x: Tensor) -> bool:
    """Whether the compiled loops serve this tensor."""
    is_plain = x.device.type == "cpu" and x.dtype == torch.float32
    return is_plain and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


def add_and_norm(x_BTD: Tensor, added_BTD: Tensor, weight_D: Tensor) -> tuple[Tensor, Tensor]:
    """The residual stream with what a block adds to it, and its RMSNorm for the next one."""
    if has_kernels(x_BTD):
        summed, normed = _AddAndNorm.apply(x_BTD, added_BTD, weight_D)  # type: ignore[no-untyped-call]
        return summed, normed
    x_BTD = x_BTD + added_BTD
    return x_BTD, functional.rms_norm(x_BTD, (x_BTD.shape[-1],), weight_D, RMS_EPSILON)


def attend(qkv_BTE: Tensor, rotation_TP2: Tensor, *, heads: int) -> Tensor:
    """Causal self-attention of (B, T, 3D) queries, keys and values with rotary positions -> (B, T, D)."""
    if has_kernels(qkv_BTE) and qkv_BTE.shape[1] <= LONGEST:
        out_BTD: Tensor = _Attend.apply(qkv_BTE, rotation_TP2, heads)  # type: ignore[no-untyped-call]
        return out_BTD
    q_BHTK, k_BHTK, v_BHTK = (one.transpose(1, 2) for one in qkv_BTE.view(*qkv_BTE.shape[:2], 3, heads, -1).unbind(2))
    q_BHTK, k_BHTK = rotate(q_BHTK, rotation_TP2), rotate(k_BHTK, rotation_TP2)
    out_BHTK = functional.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
    return out_BHTK.transpose(1, 2).flatten(2)


def gate(gate_up_BTE: Tensor) -> Tensor:
    """SwiGLU's activation: silu of the first half of the last axis times the second."""
    if has_kernels(gate_up_BTE):
        out_BTF: Tensor = _Gate.apply(gate_up_BTE)  # type: ignore[no-untyped-call]
        return out_BTF
    gate_BTF, up_BTF = gate_up_BTE.chunk(2, dim=-1)
    return functional.silu(gate_BTF) * up_BTF


def rotate(x_BHTK: Tensor, rotation_TP2: Tensor) -> Tensor:
    """Turn each pair of neighbours by its position."""
    pairs_BHTP2 = x_BHTK.float().reshape(*x_BHTK.shape[:-1], -1, 2)
    (a_BHTP, b_BHTP), (cos_TP, sin_TP) = pairs_BHTP2.unbind(-1), rotation_TP2.unbind(-1)
    turned = torch.stack((a_BHTP * cos_TP - b_BHTP * sin_TP, a_BHTP * sin_TP + b_BHTP * cos_TP), dim=-1)
    return turned.flatten(-2).type_as(x_BHTK)


class _AddAndNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, added: Tensor, weight_D: Tensor) -> tuple[Tensor, Tensor]:  # noqa: PLR0917
        summed, normed = torch.empty_like(x), torch.empty_like(x)
        scale_N, weight = x.new_empty(x.numel() // x.shape[-1]), weight_D.detach().numpy()
        norm_of_sum(_rows(x), _rows(added), weight, RMS_EPSILON, _rows(summed), _rows(normed), scale_N.numpy())
        ctx.save_for_backward(summed, weight_D, scale_N)
        return summed, normed

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        summed, weight_D, scale_N = ctx.saved_tensors
        grad_summed, grad_normed = grads
        total, into_weight_D = grad_summed.clone(), torch.zeros_like(weight_D)
        norm_gradient(
            _rows(grad_normed.contiguous()),
            _rows(summed),
            weight_D.detach().numpy(),
            scale_N.numpy(),
            _rows(total),
            into_weight_D.numpy(),
        )
        return total, total, into_weight_D


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        out = gate_up.new_empty((*gate_up.shape[:-1], gate_up.shape[-1] // 2))
        gated(_rows(gate_up), _rows(out))
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (gate_up,), into = ctx.saved_tensors, torch.empty_like(ctx.saved_tensors[0])
        gated_gradient(_rows(grads[0].contiguous()), _rows(gate_up), _rows(into))
        return into


class _Attend(torch.autograd.Function):
    """Probabilities are kept from forward to backward: of a window and head at most T x T numbers."""

    @staticmethod
    def forward(ctx: Any, qkv_BTE: Tensor, rotation_TP2: Tensor, heads: int) -> Tensor:  # noqa: PLR0917
        windows, positions, width = qkv_BTE.shape
        head_width = width // 3 // heads
        qkv_3BHTK = qkv_BTE.new_empty((3, windows, heads, positions, head_width))
        split_heads(qkv_BTE.detach().numpy(), rotation_TP2.numpy(), np.float32(head_width**-0.5), qkv_3BHTK.numpy())
        q_GTK, k_GTK, v_GTK = qkv_3BHTK.flatten(1, 2)
        out_GTK, kept = torch.empty_like(q_GTK), []
        for first, last in query_blocks(positions):
            p_GQK = torch.bmm(q_GTK[:, first:last], k_GTK[:, :last].mT)
            causal_softmax(p_GQK.numpy(), first)
            out_GTK[:, first:last] = torch.bmm(p_GQK, v_GTK[:, :last])
            kept.append(p_GQK)
        ctx.save_for_backward(qkv_3BHTK, rotation_TP2, *kept)
        return out_GTK.view(windows, heads, positions, head_width).transpose(1, 2).reshape(windows, positions, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        qkv_3BHTK, rotation_TP2, *kept = ctx.saved_tensors
        _, windows, heads, positions, head_width = qkv_3BHTK.shape
        q_GTK, k_GTK, v_GTK = qkv_3BHTK.flatten(1, 2)
        grad_GTK = grads[0].view(windows, positions, heads, -1).transpose(1, 2).reshape(q_GTK.shape)
        into_3BHTK = torch.empty_like(qkv_3BHTK)
        into_q_GTK, into_k_GTK, into_v_GTK = into_3BHTK.flatten(1, 2)
        into_k_GTK.zero_()
        into_v_GTK.zero_()
        for (first, last), p_GQK in zip(query_blocks(positions), kept, strict=True):
            grad_out_GQK = grad_GTK[:, first:last]
            into_v_GTK[:, :last].baddbmm_(p_GQK.mT, grad_out_GQK)
            grad_GQK = torch.bmm(grad_out_GQK, v_GTK[:, :last].mT)
            causal_softmax_gradient(p_GQK.numpy(), grad_GQK.numpy(), first)
            into_q_GTK[:, first:last] = torch.bmm(grad_GQK, k_GTK[:, :last])
            into_k_GTK[:, :last].baddbmm_(grad_GQK.mT, q_GTK[:, first:last])
        out_BTE = grads[0].new_empty((windows, positions, 3 * heads * head_width))
        join_heads(into_3BHTK.numpy(), rotation_TP2.numpy(), np.float32(head_width**-0.5), out_BTE.numpy())
        return out_BTE, None, None


def query_blocks(positions: int) -> list[tuple[int, int]]:
    """First query and the one behind the last of each block."""
    return [(first, min(first + _QUERIES, positions)) for first in range(0, positions, _QUERIES)]


def _rows(x: Tensor) -> Any:
    return x.detach().numpy().reshape(-1, x.shape[-1])
