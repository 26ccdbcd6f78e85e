"""Counting and scoring of byte n-grams.

An n-gram is a number whose highest byte is its last one, so that its endings are its upper bytes: in sorted n-grams
those that end alike stand together. Before a text stand bytes 0xFF, which are in no UTF-8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dq.arrays import F32, F64, I64, U8, U64
from dq.text.kernels.bits import trailing_zeros
from dq.text.kernels.jit import inlined, kernel

FACTOR = np.uint64(0x9E3779B97F4A7C15)
EIGHT = np.uint64(8)
SMALLEST = 1e-200  # products of probabilities are logarithms from here on


@kernel
def write_ngrams(data: U8, offsets: I64, order: int, out: U64) -> None:
    """The n-gram that ends at each byte of the texts."""
    top, start = np.uint64(8 * order - 8), np.uint64((1 << (8 * order)) - 1)
    at = 0
    for row in range(offsets.size - 1):
        ngram = start
        for k in range(offsets[row], offsets[row + 1]):
            ngram = (ngram >> EIGHT) | (np.uint64(data[k]) << top)
            out[at] = ngram
            at += 1


@kernel
def count_sorted(ngrams: U64, counts: I64) -> int:
    """Write each of some sorted n-grams once to the beginning, with how often it is there; returns how many."""
    size = 0
    for k in range(ngrams.size):
        if size and ngrams[k] == ngrams[size - 1]:
            counts[size - 1] += 1
        else:
            ngrams[size] = ngrams[k]
            counts[size] = 1
            size += 1
    return size


@kernel
def merge_counts(left: U64, left_counts: I64, right: U64, right_counts: I64, out: U64, out_counts: I64) -> int:
    """Merge two sorted lists, adding the counts of n-grams that are in both; returns how many there are."""
    i, j, size = 0, 0, 0
    while i < left.size or j < right.size:
        take_left = j == right.size or (i < left.size and left[i] <= right[j])
        take_right = i == left.size or (j < right.size and right[j] <= left[i])
        out[size] = left[i] if take_left else right[j]
        out_counts[size] = (left_counts[i] if take_left else 0) + (right_counts[j] if take_right else 0)
        i += take_left
        j += take_right
        size += 1
    return size


@inlined
def _slot(key: Any, keys: U64, shift: Any) -> np.int64:
    """Where a key is in a hash table, or the empty slot where it would be."""
    mask = keys.shape[0] - 1
    slot = np.int64((key * FACTOR) >> shift)
    while keys[slot, 0] != key and keys[slot, 0] != 0:
        slot = (slot + 1) & mask
    return slot


@kernel
def fill_table(entries: U64, shares: F32, weights: F32, keys: U64, values: F32) -> None:
    """Make the hash table: 16 bytes an entry, the key and then its two numbers.

    keys: (slots, 2) of zeros, more than there are entries, a power of two. values: the same memory, (slots, 4).
    """
    shift = np.uint64(64 - trailing_zeros(np.uint64(keys.shape[0])))
    for k in range(entries.size):
        slot = _slot(entries[k], keys, shift)
        keys[slot, 0] = entries[k]
        values[slot, 2] = shares[k]
        values[slot, 3] = weights[k] if k < weights.size else np.float32(1.0)


@kernel
def text_bits(data: U8, offsets: I64, order: int, base: float, keys: U64, values: F32, out: F64) -> None:
    """Bits that each text takes: minus the binary logarithms of the probabilities of its bytes.

    base: how much of the probability of a byte without a history is uniform.
    """
    shift = np.uint64(64 - trailing_zeros(np.uint64(keys.shape[0])))
    top, start = np.uint64(8 * order - 8), np.uint64((1 << (8 * order)) - 1)
    at_start, weights = np.ones(order + 1), np.empty(order + 1)
    at_start[0] = base
    for k in range(1, order):
        one = np.uint64(1) << np.uint64(8 * k)
        slot = _slot(one | (one - np.uint64(1)), keys, shift)
        at_start[k] = values[slot, 3] if keys[slot, 0] != 0 else 1.0
    for row in range(offsets.size - 1):
        weights[:] = at_start
        ngram, bits, product = start, 0.0, 1.0
        for i in range(offsets[row], offsets[row + 1]):
            ngram = (ngram >> EIGHT) | (np.uint64(data[i]) << top)
            p, before, known = 1.0 / 256, weights[0], True
            for k in range(1, order + 1):
                share, weight = 0.0, 1.0
                if known:
                    key = (ngram >> np.uint64(8 * (order - k))) | (np.uint64(1) << np.uint64(8 * k))
                    slot = _slot(key, keys, shift)
                    known = keys[slot, 0] != 0  # else no longer n-gram that ends so is there either
                    if known:
                        share, weight = values[slot, 2], values[slot, 3]
                p = share + before * p
                before = weights[k]
                weights[k] = weight
            product *= p
            if product < SMALLEST:
                bits -= math.log2(product)
                product = 1.0
        out[row] = bits - math.log2(product)
