"""xxh64 of every text of a batch: the content key of a document, and a stable 64-bit hash for everything else.

xxh64 (Yann Collet, XXH64 specification 0.1.1) is public, fast and the same on every machine; equal to the `xxhash`
library byte for byte (tested). Not cryptographic: two different texts with one key only share a tie-break.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from dq.text.buffers import Texts, text_batch
from dq.text.jit import inlined, kernel

__all__ = ["content_keys", "mix64", "uniform"]

U64: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

P1 = np.uint64(0x9E3779B185EBCA87)
P2 = np.uint64(0xC2B2AE3D27D4EB4F)
P3 = np.uint64(0x165667B19E3779F9)
P4 = np.uint64(0x85EBCA77C2B2AE63)
P5 = np.uint64(0x27D4EB2F165667C5)


def content_keys(texts: Texts) -> U64:
    """xxh64 (seed 0) of the UTF-8 bytes of each text: uint64, shape (n,)."""
    batch = text_batch(texts)
    keys = np.empty(len(batch), np.uint64)
    _xxh64_batch(batch.data, batch.offsets, keys)
    return keys


def mix64(*columns: Any) -> U64:
    """Hash columns of integers together, row by row (splitmix64 finaliser per column): uint64, broadcast shape.

    The order of the columns matters; used for every random draw, so that draws depend on documents and seeds only.
    """
    with np.errstate(over="ignore"):
        state: Any = np.uint64(0x243F6A8885A308D3)  # pi, a value with nothing up its sleeve
        for column in columns:
            state = (state ^ np.asarray(column).astype(np.uint64)) + P1
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state, dtype=np.uint64)


def uniform(hashes: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Map 64-bit hashes to float64 in [0, 1) by their upper 53 bits."""
    return (np.asarray(hashes, np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53


@inlined
def _rotl(x: Any, r: Any) -> Any:
    return (x << np.uint64(r)) | (x >> np.uint64(64 - r))


@inlined
def _read8(data: Any, at: Any) -> Any:
    """Eight bytes, little-endian: written out so that LLVM makes one load of it."""
    return _read4(data, at) | (_read4(data, at + 4) << np.uint64(32))


@inlined
def _read4(data: Any, at: Any) -> Any:
    return (
        np.uint64(data[at])
        | (np.uint64(data[at + 1]) << np.uint64(8))
        | (np.uint64(data[at + 2]) << np.uint64(16))
        | (np.uint64(data[at + 3]) << np.uint64(24))
    )


@inlined
def _round(acc: Any, lane: Any) -> Any:
    return _rotl(acc + lane * P2, 31) * P1


@kernel
def _xxh64(data: Any, begin: Any, end: Any) -> Any:
    size = end - begin
    at = begin
    if size >= 32:
        v1 = P1 + P2
        v2 = P2
        v3 = np.uint64(0)
        v4 = np.uint64(0) - P1
        while at + 32 <= end:
            v1 = _round(v1, _read8(data, at))
            v2 = _round(v2, _read8(data, at + 8))
            v3 = _round(v3, _read8(data, at + 16))
            v4 = _round(v4, _read8(data, at + 24))
            at += 32
        h = _rotl(v1, 1) + _rotl(v2, 7) + _rotl(v3, 12) + _rotl(v4, 18)
        for v in (v1, v2, v3, v4):
            h = (h ^ _round(np.uint64(0), v)) * P1 + P4
    else:
        h = P5
    h += np.uint64(size)
    while at + 8 <= end:
        h = _rotl(h ^ _round(np.uint64(0), _read8(data, at)), 27) * P1 + P4
        at += 8
    if at + 4 <= end:
        h = _rotl(h ^ (_read4(data, at) * P1), 23) * P2 + P3
        at += 4
    while at < end:
        h = _rotl(h ^ (np.uint64(data[at]) * P5), 11) * P1
        at += 1
    h = (h ^ (h >> np.uint64(33))) * P2
    h = (h ^ (h >> np.uint64(29))) * P3
    return h ^ (h >> np.uint64(32))


@kernel
def _xxh64_batch(data: Any, offsets: Any, keys: Any) -> None:
    for i in range(len(keys)):
        keys[i] = _xxh64(data, offsets[i], offsets[i + 1])
