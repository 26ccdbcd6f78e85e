"""The tokens of a stream's pieces, one piece after another, before windows are mixed.

Clean tokens are gathered from the pool in one go. Noise is a function of whole documents, of which a stream meets a
piece here and a piece there: the noisy documents met last are kept.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from dq.arrays import I32, I64, U16
from dq.stages.tokens import TokenPool
from dq.variants.kind import Noise
from dq.variants.order import StreamOrder

KEPT_NOISY_TOKENS = 64_000_000  # 128 MB


class Row:
    """The tokens of an order. Any position is reached in O(log n)."""

    def __init__(self, order: StreamOrder, pool: TokenPool, noise: Noise | None = None) -> None:
        self.order = order
        self._pool = pool
        self._noisy = None if noise is None else _NoisyDocuments(pool, noise)

    def tokens(self, begin: int, end: int) -> I32:
        """Positions ``begin`` to ``end``: int32. Behind the last piece stands the BOS of a next document."""
        out = np.full(end - begin, self._pool.bos_id, np.int32)
        end = min(end, int(self.order.starts[-1]))
        if self._noisy is None:
            out[: end - begin] = self._pool.at(self.places(begin, end))
            return out
        for at in range(*self._between(begin, end)):
            document, start = int(self.order.documents[at]), int(self.order.starts[at])
            first, last = max(begin, start), min(end, int(self.order.starts[at + 1]))
            skipped = int(self.order.pieces.begins[at]) - start
            out[first - begin : last - begin] = self._noisy.tokens(document)[first + skipped : last + skipped]
        return out

    def places(self, begin: int, end: int) -> I64:
        """Where positions ``begin`` to ``end``, all of them of pieces, stand in the pool: int64."""
        first, last = self._between(begin, end)
        starts, pieces = self.order.starts[first : last + 1], self.order.pieces.take(slice(first, last))
        shifts = self._pool.offsets[pieces.documents] + pieces.begins - starts[:-1]
        return np.repeat(shifts, _lengths(starts, begin, end)) + np.arange(begin, end)

    def unique_places(self, begin: int, end: int) -> I64:
        """Those `places` that have not been in the row before ``begin``: int64."""
        first, last = self._between(begin, end)
        lengths = _lengths(self.order.starts[first : last + 1], begin, end)
        unique: I64 = self.places(begin, end)[np.repeat(self.order.copies[first:last] == 0, lengths)]
        return unique

    def _between(self, begin: int, end: int) -> tuple[int, int]:
        """The occurrences that have positions ``begin`` to ``end``: the first, and the one behind the last."""
        first = int(np.searchsorted(self.order.starts, begin, side="right")) - 1
        return first, max(first, int(np.searchsorted(self.order.starts, end, side="left")))


def _lengths(starts: I64, begin: int, end: int) -> I64:
    """How many of the positions ``begin`` to ``end`` are in each stretch between two starts: int64."""
    within = np.clip(starts, begin, end)
    return within[1:] - within[:-1]


class _NoisyDocuments:
    """Whole documents with their noise."""

    def __init__(self, pool: TokenPool, noise: Noise) -> None:
        self._pool, self._noise = pool, noise
        self._kept: OrderedDict[int, U16] = OrderedDict()
        self._kept_tokens = 0

    def tokens(self, document: int) -> U16:
        """BOS and the tokens of one document: uint16."""
        if document in self._kept:
            self._kept.move_to_end(document)
            return self._kept[document]
        tokens = self._pool.tokens(document).copy()
        tokens[1:] = self._noise(document, tokens[1:].astype(np.int32))
        self._kept[document] = tokens
        self._kept_tokens += len(tokens)
        while self._kept_tokens > KEPT_NOISY_TOKENS and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_tokens -= len(oldest)
        return tokens
