"""Passages of a stream for people: what a model of this variant reads."""

from __future__ import annotations

from dataclasses import dataclass

from dq.results import Result
from dq.stages.base import View
from dq.variants.documents import Universe
from dq.variants.export import open_exported
from dq.variants.variant import Variant


@dataclass(frozen=True)
class Passage(Result):
    """A piece: whose it is, which copy, where it begins in its document, its tokens and text."""

    id: str
    source: str
    part: str
    copy: int
    begin: int
    tokens: int
    text: str


def passages(view: View, universe: Universe, variant: Variant, *, seed: int, limit: int) -> tuple[Passage, ...]:
    """The first pieces of one seed's stream."""
    exported = open_exported(view, universe, variant, seed=seed)
    chunk = next(exported.chunks(0, min(limit, len(exported))))
    return tuple(Passage(**row) for row in exported.table(chunk).iter_rows(named=True))
