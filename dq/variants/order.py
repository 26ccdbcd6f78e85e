"""The order in which a variant's pieces stand in its stream, as a formula.

In a part, pieces are taken in the order of r(piece, 0) while s, the tokens of the part before them, is below its quota
U_p. Copy j of a piece has the stream key (j + u_j) / k with u_0 = s / U_p and u_j = r(piece, j); k is T_p over the
tokens that were drawn, so that the last piece's overshoot is not repeated. A part gives its copies by key until it has
T_p tokens, the stream is sorted by key and cut at T. So parts stay mixed all along, every epoch is reshuffled, copies
are spread, pools of different size are nested, a smaller T is a prefix of a larger one, and `repeated` equals `curated`
through its first U tokens. Of a pool that does not grow with T (`pool_tokens`) that holds of any number of epochs: keys
in tokens of the stream are (j + u_j) x tokens drawn / share, free of T. There the last few pieces alone differ, where
a part has given all its T_p tokens.

r hashes (seed, content key, source, occurrence, place of the piece, copy): never the id, never the position in the
corpus. Under ``draw: cluster`` copy 0 hashes the document that stands for all near-copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dq.arrays import F64, I64, Bools, offsets_of
from dq.text import mix64, uniform
from dq.variants.config import Draw
from dq.variants.documents import Universe
from dq.variants.ingredient import ROUNDING_TOKENS
from dq.variants.parts import Part
from dq.variants.pieces import Pieces, cut_documents

DRAW = 0x73747265  # names this use of the documents' keys


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and by which random numbers.

    Attributes:
        piece_tokens: the most tokens of a piece; None leaves documents whole.
        draw: what the draw of first copies hashes.
    """

    seed: int
    piece_tokens: int | None
    draw: Draw = "independent"

    def draws(self, universe: Universe, pieces: Pieces, *, copy: int) -> F64:
        """r(piece, copy) in [0, 1): float64 (m,)."""
        together = self.draw == "cluster" and copy == 0
        who = universe.stand_ins[pieces.documents] if together else pieces.documents
        content = pieces.keys(universe.content_keys[who])
        return uniform(mix64(content, universe.source_keys[who], universe.occurrences[who], copy, self.seed, DRAW))


class StreamOrder:
    """Which piece stands where.

    Attributes:
        pieces: of each occurrence, in the order of the stream.
        documents: int64 (m,), of the pieces.
        copies: int64 (m,), 0 for a piece's first time.
        parts: int64 (m,), index of its part.
        first: bool (m,), whether the same text has not been there before, in another part neither.
        starts: int64 (m + 1,), where each occurrence begins; the last one is the end.
    """

    def __init__(self, pieces: Pieces, copies: I64, parts: I64, *, texts: I64) -> None:
        """``texts`` tells apart, for each part, the versions of documents: two parts may be of the same."""
        self.pieces, self.documents, self.copies, self.parts = pieces, pieces.documents, copies, parts
        self.starts = offsets_of(pieces.lengths)
        self.first = _first_sights(pieces, texts[parts])
        self._unique_before = offsets_of(np.where(self.first, pieces.lengths, 0))

    def unique_tokens(self, position: int) -> int:
        """Tokens before a position that stand there for the first time."""
        at = int(np.searchsorted(self.starts, position, side="right")) - 1
        at = min(at, len(self.documents) - 1)
        within = (position - int(self.starts[at])) if self.first[at] else 0
        return int(self._unique_before[at]) + within


def _first_sights(pieces: Pieces, texts: I64) -> Bools:
    """Which occurrences are the first of their place in a document of a text: bool (m,)."""
    place = int(pieces.begins.max(initial=0)) + 1
    document = int(pieces.documents.max(initial=0)) + 1
    _, at = np.unique((texts * document + pieces.documents) * place + pieces.begins, return_index=True)
    first = np.zeros(len(pieces), np.bool_)
    first[at] = True
    return first


def order_stream(universe: Universe, parts: Sequence[Part], drawing: Drawing, *, budget_tokens: int) -> StreamOrder:
    """The stream of a variant for one seed, cut behind the piece that holds position ``budget_tokens``."""
    each = [_part_copies(universe, part, drawing) for part in parts]
    keys, copies = (np.concatenate([getattr(one, name) for one in each]) for name in ("keys", "copies"))
    pieces = Pieces.joined([one.pieces for one in each])
    numbers = np.repeat(np.arange(len(each)), [len(one.pieces) for one in each])
    content = pieces.keys(universe.content_keys[pieces.documents])
    order = np.lexsort((mix64(content, universe.occurrences[pieces.documents], copies), keys))
    before = offsets_of(pieces.lengths[order])
    assert before[-1] >= budget_tokens, "every part has its quota"
    order = order[: int(np.searchsorted(before, budget_tokens + 1, side="left"))]
    known: dict[tuple[int, ...], int] = {}
    texts = [known.setdefault(tuple(map(id, part.layers)), len(known)) for part in parts]
    return StreamOrder(pieces.take(order), copies[order], numbers[order], texts=np.array(texts))


@dataclass(frozen=True)
class _Copies:
    """The occurrences of a part, by key: in tokens of the stream."""

    keys: F64
    pieces: Pieces
    copies: I64


def _part_copies(universe: Universe, part: Part, drawing: Drawing) -> _Copies:
    drawn, counts = _drawn(universe, part, drawing)
    if counts is None:
        keys, copies, which = _copies_alike(universe, part, drawing, drawn=drawn)
    else:
        keys, copies, which = _copies_by_count(universe, part, drawing, drawn=drawn, counts=counts)
    order = np.argsort(keys, kind="stable")
    pieces = drawn.take(which[order])
    last = _filling(pieces.lengths, part.tokens)
    return _Copies(keys[order[:last]], pieces.take(slice(last)), copies[order[:last]])


_Keyed: TypeAlias = tuple[F64, I64, I64]  # the key of each copy, its number, and which piece it is of


def _copies_alike(universe: Universe, part: Part, drawing: Drawing, *, drawn: Pieces) -> _Keyed:
    # Whole pieces overshoot U_p; with k the epochs that remain, later copies end at T_p too, not k pieces later.
    unique_tokens = int(drawn.lengths.sum())
    # T (s / U_p) / k, written as s / share: the same number for every k and T, so that first copies compare exactly.
    # T (j + u) / k likewise: the same for every T.
    each = [offsets_of(drawn.lengths)[:-1] / part.share]
    for copy in range(1, math.ceil((part.tokens - ROUNDING_TOKENS) / unique_tokens)):
        u = drawing.draws(universe, drawn, copy=copy)
        each.append((copy + u) * (unique_tokens / part.share))
    copies = np.repeat(np.arange(len(each)), len(drawn))
    return np.concatenate(each), copies, np.tile(np.arange(len(drawn)), len(each))


def _copies_by_count(universe: Universe, part: Part, drawing: Drawing, *, drawn: Pieces, counts: I64) -> _Keyed:
    """A document seen c times has c in place of k, and s counts c times its tokens."""
    first = offsets_of(drawn.lengths * counts)[:-1] / part.tokens
    keys, which = [], []
    for copy in range(int(counts.max())):
        mine = np.flatnonzero(counts > copy)
        u = drawing.draws(universe, drawn.take(mine), copy=copy) if copy else first
        keys.append((copy + u) / counts[mine] * (part.tokens / part.share))
        which.append(mine)
    copies = np.repeat(np.arange(len(which)), [len(one) for one in which])
    return np.concatenate(keys), copies, np.concatenate(which)


def _drawn(universe: Universe, part: Part, drawing: Drawing) -> tuple[Pieces, I64 | None]:
    """The pool of a part, in the order of its draw: exact to one piece; with the count of each, where it has one."""
    pieces = cut_documents(part.documents, part.lengths[part.documents], piece_tokens=drawing.piece_tokens)
    ties = (universe.occurrences[pieces.documents], pieces.keys(universe.content_keys[pieces.documents]))
    pieces = pieces.take(np.lexsort((*ties, drawing.draws(universe, pieces, copy=0))))
    if part.counts is None:
        return pieces.take(slice(_filling(pieces.lengths, part.quota))), None
    counts = part.counts[np.searchsorted(part.documents, pieces.documents)]
    end = _filling(pieces.lengths * counts, part.tokens)
    return pieces.take(slice(end)), counts[:end]


def _filling(lengths: I64, tokens: float) -> int:
    """How many of the pieces, from the first, have fewer tokens before them than are wanted."""
    return int(np.searchsorted(offsets_of(lengths)[:-1], tokens, side="left"))
