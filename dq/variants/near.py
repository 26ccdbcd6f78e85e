"""Near-copies among what variants draw from: who stands for them, and which pieces of a stream have one in it.

Deduplication of all available documents, whatever the rules make of them, leaves one of each cluster: it stands for
the others. A study whose budget is small beside its corpus hardly ever draws two documents of a cluster; such a study
says nothing of deduplication, and its manifests show it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import I64, Bools
from dq.dedup import select
from dq.dedup.policy import LONGEST
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.read import Documents
from dq.variants.documents import Universe
from dq.variants.pieces import Pieces


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
    place = int(pieces.begins.max(initial=0)) + 1
    own, same = (owner * place + pieces.begins for owner in (pieces.documents, universe.stand_ins[pieces.documents]))
    _, first = np.unique(own, return_index=True)  # not its own copies
    places, counts = np.unique(same[first], return_counts=True)
    return np.isin(same, places[counts > 1])
