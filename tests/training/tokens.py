"""Streams and held-out sets made of a simple language: each token is mostly its predecessor plus one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dq.training.stream import HeldoutTokens

VOCABULARY = 64
BOS = 0


def sentence(length: int, *, seed: int) -> NDArray[np.int32]:
    """Tokens 1 to 63 that count upwards and sometimes jump."""
    rng = np.random.default_rng(seed)
    jumps = np.where(rng.random(length) < 0.1, rng.integers(1, VOCABULARY, length), 1)
    return (1 + np.cumsum(jumps) % (VOCABULARY - 1)).astype(np.int32)


class CyclicStream:
    """A stream over a pool that is repeated."""

    def __init__(self, *, n_tokens: int, context: int, pool: int = 2000) -> None:
        self.n_tokens = n_tokens
        self.context = context
        self.pool = pool
        self.tokens = np.resize(sentence(pool, seed=0), n_tokens + 1)

    def windows(self, first: int, count: int) -> NDArray[np.int32]:
        starts = (first + np.arange(count)) * self.context
        windows: NDArray[np.int32] = self.tokens[starts[:, None] + np.arange(self.context + 1)]
        return windows

    def unique_tokens(self, tokens_seen: int) -> int:
        return min(tokens_seen, self.pool)

    def epoch(self, tokens_seen: int) -> float:
        return tokens_seen / self.pool


def make_heldout(name: str, *, documents: int, seed: int, longest: int = 100) -> HeldoutTokens:
    """Documents of 1 to `longest` tokens; two bytes a token."""
    lengths = np.random.default_rng(seed).integers(1, longest, documents)
    lengths[: min(4, documents)] = [32, 33, 31, 64][: min(4, documents)]
    return HeldoutTokens(
        name=name,
        documents=[f"{name}-{i}" for i in range(documents)],
        tokens=sentence(int(lengths.sum()), seed=seed),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        n_bytes=2 * lengths.astype(np.int64),
    )
