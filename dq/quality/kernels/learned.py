"""Training and scoring of a linear classifier on hashed word n-grams.

A document's features are its words and word pairs in lower case, hashed into a table of weights; its score is the bias
plus the sum of its features' weights over the square root of their number, so long documents do not saturate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dq.arrays import F32, F64, I32, I64, U64
from dq.text.kernels.jit import inlined, kernel

PAIR = np.uint64(0xD6E8FEB86659FD93)


@inlined
def _bucket(key: Any, shift: np.uint64) -> np.int64:
    """The upper bits of a hash."""
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> shift)


@kernel
def hash_features(folded: U64, first: int, last: int, pairs: bool, bits: int, out: I32) -> int:
    """Write the features (buckets below 2**bits) of the words ``first:last``; return how many."""
    shift = np.uint64(64 - bits)
    count = 0
    for k in range(first, last):
        out[count] = _bucket(folded[k], shift)
        count += 1
        if pairs and k + 1 < last:
            out[count] = _bucket(folded[k] * PAIR + folded[k + 1], shift)
            count += 1
    return count


@kernel
def score_documents(bounds: I64, folded: U64, pairs: bool, bits: int, weights: F32, bias: float, out: F64) -> None:
    """Probabilities of the documents whose words lie between ``bounds``; NaN without words."""
    shift = np.uint64(64 - bits)
    for row in range(out.shape[0]):
        first, last = bounds[row], bounds[row + 1]
        total, count = 0.0, 0
        for k in range(first, last):
            total += weights[_bucket(folded[k], shift)]
            count += 1
            if pairs and k + 1 < last:
                total += weights[_bucket(folded[k] * PAIR + folded[k + 1], shift)]
                count += 1
        out[row] = 1.0 / (1.0 + math.exp(-(bias + total / math.sqrt(count)))) if count else math.nan


@kernel
def train_epoch(
    features: I32, bounds: I64, labels: F64, order: I64, rate: float, weights: F32, squares: F32, bias: F64
) -> Any:
    """One pass of AdaGrad over documents in ``order``; returns the mean loss in nats.

    squares: the sums of squared gradients of every weight. bias: the bias and its sum.
    """
    loss = 0.0
    for document in order:
        first, last = bounds[document], bounds[document + 1]
        if last == first:
            continue
        scale = 1.0 / math.sqrt(last - first)
        total = 0.0
        for k in range(first, last):
            total += weights[features[k]]
        logit = bias[0] + total * scale
        probability = 1.0 / (1.0 + math.exp(-logit))
        error = probability - labels[document]
        loss += math.log1p(math.exp(-abs(logit))) + max(logit, 0.0) - logit * labels[document]
        bias[1] += error * error
        bias[0] -= rate * error / math.sqrt(bias[1] + 1e-8)
        gradient = error * scale
        for k in range(first, last):
            bucket = features[k]
            squares[bucket] += gradient * gradient
            weights[bucket] -= rate * gradient / math.sqrt(squares[bucket] + 1e-8)
    return loss / max(1, order.shape[0])
