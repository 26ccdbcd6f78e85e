"""Earlier documents, those of an index: numbered after all of the corpus, each a class of its own."""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import I64, U64
from dq.dedup.bands import Bands
from dq.dedup.duplicates import FROZEN_SCHEMA
from dq.dedup.find.signature_files import SignatureFiles
from dq.dedup.index import Met


def nothing_met(bands: Bands) -> Met:
    """What there is without an index."""
    ids = pl.DataFrame(schema={name: FROZEN_SCHEMA[name] for name in ("id", "source")})
    return Met(ids, np.empty((0, bands.num_perm), np.uint32), np.empty(0, np.uint64), [])


def frozen_documents(met: Met, files: SignatureFiles) -> pl.DataFrame:
    """The table of them, with the first document that has the canonical text of each."""
    numbers = np.arange(files.documents, files.documents + met.ids.height)
    values = {"document": numbers, "first_text": _first_texts(met.texts, numbers, files)}
    added = pl.DataFrame(values, schema={name: FROZEN_SCHEMA[name] for name in values})
    return met.ids.select("id", "source").hstack(added).select(list(FROZEN_SCHEMA))


def _first_texts(texts: U64, numbers: I64, files: SignatureFiles) -> I64:
    keys, earliest, place = np.unique(texts, return_index=True, return_inverse=True)
    first = numbers[earliest]
    for shard, begin in reversed([*enumerate(files.first_documents[:-1])]):  # the first one's word is the last
        ours = files.texts(shard)
        known = np.flatnonzero(np.isin(ours, keys))[::-1]
        first[np.searchsorted(keys, ours[known])] = begin + known
    return first[place]
