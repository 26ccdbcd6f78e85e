"""Exponentials of rows of scores: in place, in three passes over a row that is in the nearest cache."""

from __future__ import annotations

import math

import numpy as np

from dq.arrays import F32, I64
from dq.text.kernels.jit import vector_inlined, vector_kernel, widest

LOWEST = np.float32(-60)  # less is nothing beside 1, and divided further it would be no normal number, which is slow
SIGN, REST, ONE = np.int32(31), np.int32(0x7FFFFFFF), np.int32(127)
MANTISSA_BITS = np.int32(23)
STRIDE = 32  # a multiple of all vectors: what is left over is worked on one by one
ZERO = np.float32(0)


@vector_inlined
def exponential(x: np.float32) -> np.float32:
    """Exponential of x, x in [-87, 88], within 1.2e-7 of it (Cephes' ``expf``, Moshier 1984); NaN stays NaN."""
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    f = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * f + np.float32(1.3981999507e-3)
    p = p * f + np.float32(8.3334519073e-3)
    p = p * f + np.float32(4.1665795894e-2)
    p = p * f + np.float32(1.6666665459e-1)
    p = p * f + np.float32(5.0000001201e-1)
    p = p * f * f + f + np.float32(1.0)
    power = np.int32(np.int32(np.int32(n) + ONE) << MANTISSA_BITS)
    return np.float32(p * np.int32(power).view(np.float32))


@vector_inlined
def ordered(bits: np.int32) -> np.int32:
    """The bits of floats as integers of the same order, of which a maximum is vectorised; its own inverse."""
    return np.int32(bits ^ np.int32(np.int32(bits >> SIGN) & REST))


@vector_inlined
def highest(row: F32, n: int) -> np.float32:
    """The largest of the first ``n`` scores."""
    widest()
    bits = np.int32(-2147483648)
    for i in range(n):
        bits = np.int32(max(bits, ordered(np.float32(row[i]).view(np.int32))))
    return np.float32(np.int32(ordered(bits)).view(np.float32))


@vector_inlined
def exponentials(row: F32, n: int, last: int) -> tuple[np.float32, np.float32]:
    """Replace the first ``n`` scores by exponentials of what they are below the largest: that, and their sum.

    Behind them zeros are put, up to ``last``: a condition within the loop costs less than a rest one by one.
    """
    widest()
    top, total = highest(row, n), ZERO
    for i in range(last):
        below = row[i] - top
        if below < LOWEST:  # noqa: PLR1730 - NaN stays NaN
            below = LOWEST
        row[i] = exponential(below) if np.int32(i) < np.int32(n) else ZERO
        total += row[i]
    return top, total


@vector_kernel
def causal_softmax(scores_GQK: F32, first: int) -> None:
    """Probabilities of what each query may see: that of row q the first ``first + q + 1`` keys, 0 behind them."""
    widest()
    groups, queries, keys = scores_GQK.shape
    for g in range(groups):
        for q in range(queries):
            row, n = scores_GQK[g, q], first + q + 1
            _, total = exponentials(row, n, min(keys, (n + STRIDE - 1) // STRIDE * STRIDE))
            scale = np.float32(1) / total
            for k in range(keys):
                row[k] = row[k] * scale if np.int32(k) < np.int32(n) else ZERO


@vector_kernel
def causal_softmax_gradient(p_GQK: F32, grad_GQK: F32, first: int) -> None:
    """The gradient of probabilities becomes, in place, that of their scores."""
    widest()
    groups, queries, keys = p_GQK.shape
    for g in range(groups):
        for q in range(queries):
            p, grad, n = p_GQK[g, q], grad_GQK[g, q], np.int32(first + q + 1)
            mean = ZERO
            for k in range(keys):
                mean += p[k] * grad[k] if np.int32(k) < n else ZERO
            for k in range(keys):
                grad[k] = p[k] * (grad[k] - mean) if np.int32(k) < n else ZERO


@vector_kernel
def loss_and_gradient(logits_NV: F32, targets_N: I64) -> float:
    """Sum of -log p of targets, in nats; the logits become its gradient by themselves."""
    widest()
    total_nats = 0.0
    for n in range(len(targets_N)):
        row, target = logits_NV[n], targets_N[n]
        at_target = row[target]
        top, total = exponentials(row, len(row), len(row))
        total_nats += math.log(total) + top - at_target
        scale = np.float32(1) / total
        for v in range(len(row)):
            row[v] *= scale
        row[target] -= np.float32(1)
    return total_nats


@vector_kernel
def token_nats(logits_NV: F32, targets_N: I64, nats_N: F32) -> None:
    """-log p of each target."""
    widest()
    for n in range(len(targets_N)):
        row = logits_NV[n]
        top, total = highest(row, len(row)), ZERO
        for v in range(len(row)):
            below = row[v] - top
            if below < LOWEST:  # noqa: PLR1730 - NaN stays NaN
                below = LOWEST
            total += exponential(below)
        nats_N[n] = math.log(total) + (np.float64(top) - np.float64(row[targets_N[n]]))
