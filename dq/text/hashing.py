"""Hashes for Python: the content key of a document, and draws that hash integers.

xxh64 (Yann Collet, XXH64 specification 0.1.1) is public, fast and the same on every machine; equal to the `xxhash`
library byte for byte (tested). Not cryptographic: two different texts with one key only share a tie-break.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.arrays import F64, U64, read_only
from dq.text.buffers import Texts, text_batch
from dq.text.kernels.xxhash import hash_texts

GOLDEN = np.uint64(0x9E3779B185EBCA87)  # odd, near 2**64 divided by the golden ratio


def content_keys(texts: Texts) -> U64:
    """xxh64 (seed 0) of the UTF-8 bytes of each text: uint64, shape (n,)."""
    batch = text_batch(texts)
    keys = np.empty(len(batch), np.uint64)
    hash_texts(read_only(batch.data), read_only(batch.offsets), 0, keys)
    return keys


def mix64(*columns: Any) -> U64:
    """Hash columns of integers together, row by row (splitmix64 finaliser per column): uint64, broadcast shape.

    The order of the columns matters; used for every random draw, so that draws depend on documents and seeds only.
    """
    with np.errstate(over="ignore"):
        state: Any = np.uint64(0x243F6A8885A308D3)  # pi, a value with nothing up its sleeve
        for column in columns:
            state = (state ^ np.asarray(column).astype(np.uint64)) + GOLDEN
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state, dtype=np.uint64)


def uniform(hashes: Any) -> F64:
    """Map 64-bit hashes to float64 in [0, 1) by their upper 53 bits."""
    return (np.asarray(hashes, np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53
