"""The stream by its definition, in plain Python: no numpy, no code of dq but the hash of a source's name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dq.text import content_keys
from dq.variants import Part, Universe

MASK = 2**64 - 1
DRAW, MIX = 0x73747265, 0x6D6978
BLOCK = 64


@dataclass(frozen=True)
class Piece:
    """An occurrence of a piece."""

    document: int
    begin: int
    length: int
    copy: int = 0
    part: int = 0


def mixed(*columns: int) -> int:
    """splitmix64's finaliser, column by column."""
    state = 0x243F6A8885A308D3
    for column in columns:
        state = ((state ^ column) + 0x9E3779B185EBCA87) & MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
        state ^= state >> 31
    return state


def row_of(
    world: Universe, parts: Sequence[Part], *, budget: int, seed: int, context: int | None, cluster: bool = False
) -> list[Piece]:
    """The pieces of the whole stream, before windows are mixed; whole documents without a context."""

    def key(document: int, begin: int) -> int:
        content = int(world.content_keys[document])
        return mixed(content, begin) if begin else content

    def draw(piece: Piece, copy: int) -> float:
        who = int(world.stand_ins[piece.document]) if cluster and copy == 0 else piece.document
        source = int(content_keys([str(world.sources[who])])[0])
        hashed = mixed(key(who, piece.begin), source, int(world.occurrences[who]), copy, seed, DRAW)
        return (hashed >> 11) / 2**53

    def tie(piece: Piece) -> tuple[int, int]:
        return key(piece.document, piece.begin), int(world.occurrences[piece.document])

    stream: list[tuple[float, int, Piece]] = []
    for number, part in enumerate(parts):
        pieces = [
            Piece(int(d), begin, min(context or math.inf, int(world.lengths[d]) - begin), part=number)  # type: ignore[arg-type]
            for d in part.documents
            for begin in range(0, int(world.lengths[d]), context or int(world.lengths[d]))
        ]
        drawn, unique, keyed = [], 0, []
        for piece in sorted(pieces, key=lambda one: (draw(one, 0), *tie(one))):
            if unique < part.quota:
                drawn.append(piece)
                keyed.append((unique / part.share, piece))
                unique += piece.length
        k = part.tokens / unique
        for copy in range(1, math.ceil(k - 1e-6)):
            for piece in drawn:
                again = Piece(piece.document, piece.begin, piece.length, copy, number)
                keyed.append(((copy + draw(piece, copy)) * (unique / part.share), again))
        given = 0
        for at, piece in sorted(keyed, key=lambda one: one[0]):
            if given < part.tokens:
                stream.append((at, mixed(*tie(piece), piece.copy), piece))
                given += piece.length
    row, position = [], 0
    for _, _, piece in sorted(stream, key=lambda one: one[:2]):
        if position <= budget:
            row.append(piece)
        position += piece.length
    return row


def seen_windows(windows: int, seed: int) -> list[int]:
    """Which window of the row is seen when."""
    seen = []
    for block in range(math.ceil(windows / BLOCK)):
        first = block * BLOCK
        inside = range(min(BLOCK, windows - first))
        seen += [first + place for place in sorted(inside, key=lambda place: mixed(seed, block, place, MIX))]
    return seen
