"""What training asks of a token stream and of held-out documents. No torch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dq.errors import TrainingError

CURVE_FRACTION = 0.1
MIN_CURVE_DOCUMENTS = 10


class TokenStream(Protocol):
    """The tokens a run is trained on, in order, reachable at any window."""

    @property
    def n_tokens(self) -> int:
        """Tokens that can be trained on; the target of the last one may lie one further."""

    def windows(self, first: int, count: int) -> NDArray[np.int32]:
        """Windows `first` to `first + count` in the order in which they are trained on, (count, context + 1).

        Each token is predicted in one window; the last one of a window is the target of the one before it.
        """

    def unique_tokens(self, tokens_seen: int) -> int:
        """Distinct tokens of the pool among the first `tokens_seen`."""

    def epoch(self, tokens_seen: int) -> float:
        """Passes over the pool after `tokens_seen` tokens."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldoutTokens:
    """One held-out set, tokenised: each document on its own and without its BOS."""

    name: str
    """Name of the set."""
    documents: Sequence[str]
    """Ids of the documents, n."""
    tokens: NDArray[np.int32]
    """All documents' token ids, one after another."""
    offsets: NDArray[np.int64]
    """(n + 1,) where each document starts in `tokens`."""
    n_bytes: NDArray[np.int64]
    """(n,) UTF-8 bytes of each document's evaluated text."""

    def __post_init__(self) -> None:
        n = len(self.documents)
        where = f"held-out set {self.name!r}"
        if n == 0:
            raise TrainingError(f"{where} has no documents; hold some out")
        if self.offsets.shape != (n + 1,) or self.n_bytes.shape != (n,):
            raise TrainingError(f"{where}: {n} documents need {n + 1} offsets and {n} byte counts")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.tokens) or (np.diff(self.offsets) < 0).any():
            raise TrainingError(f"{where}: offsets must rise from 0 to the {len(self.tokens)} tokens")
        if (self.n_bytes < 1).any():
            raise TrainingError(f"{where}: every document needs at least one byte; leave empty ones out")
        if len(set(self.documents)) != n:
            raise TrainingError(f"{where} names a document twice; ids must be unique")

    def curve_documents(self) -> NDArray[np.bool_]:
        """(n,) the fixed tenth of the documents that curve points use.

        The documents whose ids hash lowest: at least ten (or all), the same whatever their order.
        """
        n = len(self.documents)
        count = min(n, max(MIN_CURVE_DOCUMENTS, math.ceil(n * CURVE_FRACTION)))
        digests = [hashlib.sha256(document.encode()).digest() for document in self.documents]
        chosen = np.zeros(n, dtype=np.bool_)
        chosen[sorted(range(n), key=digests.__getitem__)[:count]] = True
        return chosen

    def select(self, chosen: NDArray[np.bool_]) -> HeldoutTokens:
        """The set with only the chosen documents, in the same order."""
        tokens_chosen = np.repeat(chosen, np.diff(self.offsets))
        lengths = np.diff(self.offsets)[chosen]
        return HeldoutTokens(
            name=self.name,
            documents=[document for document, keep in zip(self.documents, chosen, strict=True) if keep],
            tokens=self.tokens[tokens_chosen],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            n_bytes=self.n_bytes[chosen],
        )
