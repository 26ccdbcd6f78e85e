"""The order in which a variant's documents are seen, as a formula.

In a part, documents are taken whole in the order of r(document, 0) while s, the tokens of the part before them, is
below its quota U_p. Copy j of a document has the stream key (j + u_j) / k with u_0 = s / U_p and u_j = r(document, j);
k is T_p over the tokens that were drawn, so that the last document's overshoot is not repeated. A part gives its copies
by key until it has T_p tokens, the stream is sorted by key and cut at T. So parts stay mixed all along, every epoch is
reshuffled, copies are spread, pools of different size are nested, a smaller T is a prefix of a larger one, and
`repeated` equals `curated` through its first U tokens. r hashes (seed, content key, source, occurrence, copy): never
the id, never the position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from dq.stages.tokenizer import BOS_ID
from dq.stages.tokens import TokenPool
from dq.text import content_keys, mix64, uniform
from dq.variants.documents import Universe
from dq.variants.kind import Noise
from dq.variants.parts import ROUNDING_TOKENS, Part

STREAM_VERSION = 2  # raised when the same recipe gives another stream: runs of the old one are not mixed in

I64: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
F64: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
DRAW = 0x73747265  # names this use of the documents' keys


class StreamOrder:
    """Which document comes when.

    Attributes:
        documents: int64 (m,), global number of each occurrence in the stream.
        copies: int64 (m,), 0 for a document's first time.
        parts: int64 (m,), index of its part.
        starts: int64 (m + 1,), stream position of each occurrence's BOS; the last one is the end.
    """

    def __init__(self, documents: I64, copies: I64, parts: I64, lengths: I64) -> None:  # noqa: PLR0917
        self.documents, self.copies, self.parts = documents, copies, parts
        self.starts: I64 = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[documents])])
        first = np.where(copies == 0, lengths[documents], 0)
        self._unique_before: I64 = np.concatenate([np.zeros(1, np.int64), np.cumsum(first)])

    def unique_tokens(self, tokens_seen: int) -> int:
        """Tokens seen for the first time among the first ``tokens_seen``."""
        at = int(np.searchsorted(self.starts, tokens_seen, side="right")) - 1
        at = min(at, len(self.documents) - 1)
        within = (tokens_seen - int(self.starts[at])) if self.copies[at] == 0 else 0
        return int(self._unique_before[at]) + within


def order_stream(universe: Universe, parts: Sequence[Part], *, budget_tokens: int, seed: int) -> StreamOrder:
    """The stream of a variant for one seed, cut behind the document that holds position ``budget_tokens``."""
    pieces = [_part_copies(universe, part, seed=seed) for part in parts]
    keys = np.concatenate([piece[0] for piece in pieces])
    documents = np.concatenate([piece[1] for piece in pieces])
    copies = np.concatenate([piece[2] for piece in pieces])
    part_numbers = np.repeat(np.arange(len(pieces)), [len(piece[0]) for piece in pieces])
    ties = mix64(universe.content_keys[documents], universe.occurrences[documents], copies)
    order = np.lexsort((ties, keys))
    stream = StreamOrder(documents[order], copies[order], part_numbers[order], universe.lengths)
    assert stream.starts[-1] >= budget_tokens, "every part has its quota"
    end = int(np.searchsorted(stream.starts, budget_tokens + 1, side="left"))
    end = min(end, len(stream.documents))
    return StreamOrder(stream.documents[:end], stream.copies[:end], stream.parts[:end], universe.lengths)


def draws(universe: Universe, documents: I64, *, source: str, seed: int, copy: int) -> F64:
    """r(seed, document, copy) in [0, 1): float64 (n,)."""
    source_key = content_keys([source])[0]
    keys = universe.content_keys[documents], universe.occurrences[documents]
    return uniform(mix64(keys[0], source_key, keys[1], copy, seed, DRAW))


def _part_copies(universe: Universe, part: Part, *, seed: int) -> tuple[F64, I64, I64]:
    """Keys (in tokens of the stream), documents and copy numbers of every occurrence of a part, by key."""
    r0 = draws(universe, part.documents, source=part.source, seed=seed, copy=0)
    order = np.lexsort((universe.occurrences[part.documents], universe.content_keys[part.documents], r0))
    ranked = part.documents[order]
    before = np.cumsum(universe.lengths[ranked]) - universe.lengths[ranked]
    taken = int(np.searchsorted(before, part.quota, side="left"))
    drawn = ranked[:taken]
    # Whole documents overshoot U_p; with k the epochs that remain, later copies end at T_p too, not k documents later.
    unique_tokens = int(universe.lengths[drawn].sum())
    epochs = part.tokens / unique_tokens
    # T (s / U_p) / k, written as s / share: the same number for every k and T, so that first copies compare exactly.
    keys, documents, copies = [before[:taken] / part.share], [drawn], [np.zeros(taken, np.int64)]
    for copy in range(1, math.ceil((part.tokens - ROUNDING_TOKENS) / unique_tokens)):
        u = draws(universe, drawn, source=part.source, seed=seed, copy=copy)
        keys.append((copy + u) / epochs * (part.tokens / part.share))
        documents.append(drawn)
        copies.append(np.full(taken, copy, np.int64))
    return _quota_of(universe, part, np.concatenate(keys), np.concatenate(documents), np.concatenate(copies))


def _quota_of(universe: Universe, part: Part, keys: F64, documents: I64, copies: I64) -> tuple[F64, I64, I64]:  # noqa: PLR0917
    """The occurrences by key while the part's tokens before them are below T_p: exact to one document."""
    order = np.argsort(keys, kind="stable")
    before = np.cumsum(universe.lengths[documents[order]]) - universe.lengths[documents[order]]
    chosen = order[: int(np.searchsorted(before, part.tokens, side="left"))]
    return keys[chosen], documents[chosen], copies[chosen]


class Stream:
    """The tokens of a variant for one seed: what the trainer reads. Any position is reached in O(log n).

    Attributes:
        n_tokens: the budget T; positions 0..T (T is the last target).
    """

    def __init__(
        self, order: StreamOrder, pool: TokenPool, *, budget_tokens: int, context: int, noise: Noise | None = None
    ) -> None:
        self.order, self.n_tokens, self.context = order, budget_tokens, context
        self._pool, self._noise = pool, noise

    def windows(self, first: int, count: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Windows ``first`` to ``first + count``: int32 (count, context + 1); neighbours share one token."""
        begin = first * self.context
        flat = self.tokens(begin, begin + count * self.context + 1)
        return np.lib.stride_tricks.sliding_window_view(flat, self.context + 1)[:: self.context].copy()

    def tokens(self, begin: int, end: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Stream positions ``begin`` to ``end``: int32. Behind the last document stands the BOS of a next one."""
        out = np.full(end - begin, BOS_ID, np.int32)
        at = int(np.searchsorted(self.order.starts, begin, side="right")) - 1
        position = begin
        while position < min(end, int(self.order.starts[-1])):
            start = int(self.order.starts[at])
            tokens = self._document(int(self.order.documents[at]))
            piece = tokens[position - start : end - start]
            out[position - begin : position - begin + len(piece)] = piece
            position += len(piece)
            at += 1
        return out

    def _document(self, document: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        tokens = self._pool.tokens(document).astype(np.int32)
        if self._noise is not None:
            tokens[1:] = self._noise(document, tokens[1:])
        return tokens

    def unique_tokens(self, tokens_seen: int) -> int:
        """Tokens seen for the first time among the first ``tokens_seen``."""
        return self.order.unique_tokens(tokens_seen)

    def epoch(self, tokens_seen: int) -> float:
        """Tokens seen over unique tokens seen: 1 until something repeats."""
        return tokens_seen / max(1, self.unique_tokens(tokens_seen))
