"""Near-copies among what variants draw from: who stands for them, and which pieces of a stream have one in it.

Deduplication of all available documents, whatever the rules make of them, leaves one of each cluster: it stands for
the others. A study whose budget is small beside its corpus hardly ever draws two documents of a cluster; such a study
says nothing of deduplication, and its manifests show it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dq.arrays import I64, Bools
from dq.dedup import select
from dq.dedup.policy import LONGEST
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.read import Documents
from dq.variants.documents import Universe
from dq.variants.parts import Part
from dq.variants.pieces import Pieces, cut_documents


def find_stand_ins(view: View, available: Bools) -> I64:
    """For each document the one that stands for it and its near-copies: the longest of them, itself where it has none.

    Ids decide nothing, as of all that is drawn by.
    """
    duplicates = view.open(FoundDuplicates).duplicates
    documents = view.open(Documents, "deduplicated").documents.select("content_key", "source", "occurrence", "n_bytes")
    ranks = LONGEST.ranks(documents.with_columns(visible_characters=pl.Series(duplicates.visible)))
    found = select(duplicates, available, order=ranks).kept_index
    return np.where(available, found, np.arange(len(found)))


def near_copies(universe: Universe, pieces: Pieces) -> Bools:
    """Which pieces have a near-copy among them, at the same place of another document of their cluster: bool (m,)."""
    some = np.flatnonzero(_clustered(universe)[pieces.documents])  # few: only these can
    few, place = pieces.take(some), int(pieces.begins.max(initial=0)) + 1
    own, same = (who * place + few.begins for who in (few.documents, universe.stand_ins[few.documents]))
    _, first = np.unique(own, return_index=True)  # not its own copies
    places, counts = np.unique(same[first], return_counts=True)
    near = np.zeros(len(pieces), np.bool_)
    near[some] = np.isin(same, places[counts > 1])
    return near


def pool_near_copies(universe: Universe, parts: Sequence[Part], *, piece_tokens: int | None) -> dict[str, float]:
    """The share of each part's tokens that have a near-copy in some part, by the part's name."""
    clustered = _clustered(universe)
    each = [part.documents[clustered[part.documents]] for part in parts]
    groups = [
        cut_documents(documents, part.lengths[documents], piece_tokens=piece_tokens)
        for part, documents in zip(parts, each, strict=True)
    ]
    pieces = Pieces.joined(groups)
    owners = np.repeat(np.arange(len(parts)), [len(group) for group in groups])
    tokens = np.bincount(owners, weights=pieces.lengths * near_copies(universe, pieces), minlength=len(parts))
    return {part.name: float(near / part.unique_available) for part, near in zip(parts, tokens, strict=True)}


def _clustered(universe: Universe) -> Bools:
    """The documents that have a near-copy somewhere: bool (documents,)."""
    sizes = np.bincount(universe.stand_ins, minlength=len(universe.stand_ins))
    return np.asarray(sizes[universe.stand_ins] > 1)
