"""Norms, the gated activation, and the turned queries and keys of a layer, forward and backward."""

from __future__ import annotations

import math

import numpy as np

from dq.arrays import F32, I64
from dq.text.kernels.jit import vector_inlined, vector_kernel, widest
from dq.training.kernels.softmax import LOWEST, exponential

ONE = np.float32(1)


@vector_kernel
def norm(x_ND: F32, weight_D: F32, epsilon: float, out_ND: F32, scale_N: F32) -> None:
    """RMSNorm of every row, and what each was multiplied by before its weight."""
    widest()
    width = x_ND.shape[1]
    for n in range(len(x_ND)):
        squares = np.float32(0)
        for d in range(width):
            squares += x_ND[n, d] * x_ND[n, d]
        scale = np.float32(1 / math.sqrt(squares / width + epsilon))
        scale_N[n] = scale
        for d in range(width):
            out_ND[n, d] = x_ND[n, d] * scale * weight_D[d]


@vector_kernel
def norm_of_sum(
    x_ND: F32, added_ND: F32, weight_D: F32, epsilon: float, summed_ND: F32, out_ND: F32, scale_N: F32
) -> None:
    """The sum of two, its RMSNorm, and what each row was multiplied by before its weight."""
    widest()
    width = x_ND.shape[1]
    for n in range(len(x_ND)):
        squares = np.float32(0)
        for d in range(width):
            summed = x_ND[n, d] + added_ND[n, d]
            summed_ND[n, d] = summed
            squares += summed * summed
        scale = np.float32(1 / math.sqrt(squares / width + epsilon))
        scale_N[n] = scale
        for d in range(width):
            out_ND[n, d] = summed_ND[n, d] * scale * weight_D[d]


@vector_kernel
def norm_gradient(grad_ND: F32, x_ND: F32, weight_D: F32, scale_N: F32, into_ND: F32, into_weight_D: F32) -> None:
    """Add the gradients of a norm's input and of its weight to others."""
    widest()
    width = x_ND.shape[1]
    for n in range(len(x_ND)):
        scale, along = scale_N[n], np.float32(0)
        for d in range(width):
            along += grad_ND[n, d] * weight_D[d] * x_ND[n, d]
            into_weight_D[d] += grad_ND[n, d] * x_ND[n, d] * scale
        along = along * scale * scale / np.float32(width)
        for d in range(width):
            into_ND[n, d] += scale * (grad_ND[n, d] * weight_D[d] - x_ND[n, d] * along)


@vector_inlined
def sigmoid(x: np.float32) -> np.float32:
    """1 / (1 + e^-x)."""
    power = -x
    if power < LOWEST:  # noqa: PLR1730 - NaN is neither
        power = LOWEST
    if power > -LOWEST:  # noqa: PLR1730
        power = -LOWEST
    return np.float32(1) / (np.float32(1) + exponential(power))


@vector_kernel
def gated(gate_up_NE: F32, out_NF: F32) -> None:
    """SwiGLU's activation: silu of the first half of each row times its second."""
    widest()
    width = out_NF.shape[1]
    for n in range(len(out_NF)):
        for f in range(width):
            gate = gate_up_NE[n, f]
            out_NF[n, f] = gate * sigmoid(gate) * gate_up_NE[n, width + f]


@vector_kernel
def gated_gradient(grad_NF: F32, gate_up_NE: F32, into_NE: F32) -> None:
    """The gradient of both halves."""
    widest()
    width = grad_NF.shape[1]
    for n in range(len(grad_NF)):
        for f in range(width):
            # All is read before anything is written, or the loop is not vectorised.
            gate, up, grad = gate_up_NE[n, f], gate_up_NE[n, width + f], grad_NF[n, f]
            open_ = sigmoid(gate)
            into_NE[n, f] = grad * up * open_ * (ONE + gate * (ONE - open_))
            into_NE[n, width + f] = grad * gate * open_


@vector_kernel
def split_heads(qkv_BTE: F32, rotation_TP2: F32, scale: np.float32, out_3BHTK: F32) -> None:
    """Queries, keys and values by head; the pairs of the first two turned by their position, queries scaled."""
    widest()
    _, windows, heads, positions, width = out_3BHTK.shape
    for b in range(windows):
        for t in range(positions):
            for h in range(heads):
                q, k, v = h * width, (heads + h) * width, (2 * heads + h) * width
                for p in range(width // 2):
                    cos, sin = rotation_TP2[t, p, 0], rotation_TP2[t, p, 1]
                    even, odd = qkv_BTE[b, t, q + 2 * p] * scale, qkv_BTE[b, t, q + 2 * p + 1] * scale
                    out_3BHTK[0, b, h, t, 2 * p] = even * cos - odd * sin
                    out_3BHTK[0, b, h, t, 2 * p + 1] = even * sin + odd * cos
                for p in range(width // 2):
                    cos, sin = rotation_TP2[t, p, 0], rotation_TP2[t, p, 1]
                    even, odd = qkv_BTE[b, t, k + 2 * p], qkv_BTE[b, t, k + 2 * p + 1]
                    out_3BHTK[1, b, h, t, 2 * p] = even * cos - odd * sin
                    out_3BHTK[1, b, h, t, 2 * p + 1] = even * sin + odd * cos
                for i in range(width):
                    out_3BHTK[2, b, h, t, i] = qkv_BTE[b, t, v + i]


@vector_kernel
def join_heads(grad_3BHTK: F32, rotation_TP2: F32, scale: np.float32, out_BTE: F32) -> None:
    """The gradient of what `split_heads` took, from that of what it gave: turned back."""
    widest()
    _, windows, heads, positions, width = grad_3BHTK.shape
    for b in range(windows):
        for t in range(positions):
            for h in range(heads):
                q, k, v = h * width, (heads + h) * width, (2 * heads + h) * width
                for p in range(width // 2):
                    cos, sin = rotation_TP2[t, p, 0], rotation_TP2[t, p, 1]
                    even, odd = grad_3BHTK[0, b, h, t, 2 * p] * scale, grad_3BHTK[0, b, h, t, 2 * p + 1] * scale
                    out_BTE[b, t, q + 2 * p] = even * cos + odd * sin
                    out_BTE[b, t, q + 2 * p + 1] = odd * cos - even * sin
                for p in range(width // 2):
                    cos, sin = rotation_TP2[t, p, 0], rotation_TP2[t, p, 1]
                    even, odd = grad_3BHTK[1, b, h, t, 2 * p], grad_3BHTK[1, b, h, t, 2 * p + 1]
                    out_BTE[b, t, k + 2 * p] = even * cos + odd * sin
                    out_BTE[b, t, k + 2 * p + 1] = odd * cos - even * sin
                for i in range(width):
                    out_BTE[b, t, v + i] = grad_3BHTK[2, b, h, t, i]


@vector_kernel
def turn(qkv_NE: F32, rotation_TR: F32, direction: np.float32) -> None:
    """Turn the pairs at the head of each row in place, by those of its position, or with -1 back."""
    widest()
    for n in range(len(qkv_NE)):
        row, rotation = qkv_NE[n], rotation_TR[n % len(rotation_TR)]
        for p in range(rotation_TR.shape[1] // 2):
            cos, sin = rotation[2 * p], direction * rotation[2 * p + 1]
            even, odd = row[2 * p], row[2 * p + 1]
            row[2 * p] = even * cos - odd * sin
            row[2 * p + 1] = even * sin + odd * cos


@vector_kernel
def add_rows(x_ND: F32, ids_N: I64, into_VD: F32) -> None:
    """Add each row to the one of its id."""
    for n in range(len(ids_N)):
        for d in range(x_ND.shape[1]):
            into_VD[ids_N[n], d] += x_ND[n, d]
