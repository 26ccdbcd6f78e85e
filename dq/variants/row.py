"""The tokens of a stream's pieces, one piece after another, before windows are mixed.

Tokens are gathered from their pools in one go. Noise in tokens is a function of whole documents, of which a stream
meets a piece here and a piece there: the noisy documents met last are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.arrays import I32, I64, Array, offsets_of
from dq.stages.tokens import TokenPool
from dq.variants.ingredient import Rewriter
from dq.variants.order import StreamOrder

KEPT_NOISY_TOKENS = 32_000_000  # 128 MB


@dataclass(frozen=True, eq=False)
class PartText:
    """Where the tokens of a part are, and what rewrites them on the way; parts of the same text share one."""

    pool: TokenPool
    rewriter: Rewriter | None = None


class Row:
    """The tokens of an order. Any position is reached in O(log n)."""

    def __init__(self, order: StreamOrder, texts: Sequence[PartText]) -> None:
        """``texts`` are those of the order's parts."""
        self.order = order
        self._pools = list({id(text.pool): text.pool for text in texts}.values())
        known = [id(pool) for pool in self._pools]
        self._pool_of = np.array([known.index(id(text.pool)) for text in texts])
        self._bases = offsets_of(np.array([int(pool.offsets[-1]) for pool in self._pools]))
        noisy = {id(text): _NoisyDocuments(text.pool, text.rewriter) for text in texts if text.rewriter}
        self._noisy = [noisy.get(id(text)) for text in texts]

    def tokens(self, begin: int, end: int) -> I32:
        """Positions ``begin`` to ``end``: int32. Behind the last piece stands the BOS of a next document."""
        out = np.full(end - begin, self._pools[0].bos_id, np.int32)
        end = min(end, int(self.order.starts[-1]))
        self._gather(self.places(begin, end), out[: end - begin])
        if not any(self._noisy):
            return out
        for at in range(*self._between(begin, end)):
            if (noisy := self._noisy[self.order.parts[at]]) is not None:
                start = int(self.order.starts[at])
                first, last = max(begin, start), min(end, int(self.order.starts[at + 1]))
                skipped = int(self.order.pieces.begins[at]) - start
                tokens = noisy.tokens(int(self.order.documents[at]))
                out[first - begin : last - begin] = tokens[first + skipped : last + skipped]
        return out

    def places(self, begin: int, end: int) -> I64:
        """Where positions ``begin`` to ``end``, all of pieces, stand in the pools one behind another: int64."""
        first, last = self._between(begin, end)
        starts, pieces = self.order.starts[first : last + 1], self.order.pieces.take(slice(first, last))
        in_pool = self._pool_of[self.order.parts[first:last]]
        shifts = pieces.begins - starts[:-1]
        for number, pool in enumerate(self._pools):
            mine = in_pool == number
            shifts[mine] += pool.offsets[pieces.documents[mine]] + self._bases[number]
        return np.repeat(shifts, _lengths(starts, begin, end)) + np.arange(begin, end)

    def unique_places(self, begin: int, end: int) -> I64:
        """Those `places` that have not been in the row before ``begin``: int64."""
        first, last = self._between(begin, end)
        lengths = _lengths(self.order.starts[first : last + 1], begin, end)
        unique: I64 = self.places(begin, end)[np.repeat(self.order.first[first:last], lengths)]
        return unique

    def following(self, at: int, count: int) -> Array:
        """Tokens of occurrence ``at``'s document behind it, so many where there are: the piece ends within its text."""
        document, end = int(self.order.documents[at]), int(self.order.pieces.begins[at] + self.order.pieces.lengths[at])
        part = self.order.parts[at]
        noisy = self._noisy[part]
        tokens = noisy.tokens(document) if noisy else self._pools[self._pool_of[part]].tokens(document)
        behind: Array = tokens[end : end + count]
        return behind

    def _gather(self, places: I64, out: I32) -> None:
        if len(self._pools) == 1:
            out[:] = self._pools[0].at(places)
            return
        for number, pool in enumerate(self._pools):
            mine = (places >= self._bases[number]) & (places < self._bases[number + 1])
            out[mine] = pool.at(places[mine] - self._bases[number])

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

    def __init__(self, pool: TokenPool, rewriter: Rewriter) -> None:
        self._pool, self._rewriter = pool, rewriter
        self._kept: OrderedDict[int, I32] = OrderedDict()
        self._kept_tokens = 0

    def tokens(self, document: int) -> I32:
        """BOS and the tokens of one document: int32."""
        if document in self._kept:
            self._kept.move_to_end(document)
            return self._kept[document]
        clean = self._pool.tokens(document)
        noisy = self._rewriter(document, clean[1:].astype(np.int32))
        tokens = np.concatenate([clean[:1].astype(np.int32), noisy])
        self._kept[document] = tokens
        self._kept_tokens += len(tokens)
        while self._kept_tokens > KEPT_NOISY_TOKENS and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_tokens -= len(oldest)
        return tokens
