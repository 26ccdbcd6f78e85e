"""Ids that documents of one source share, counted over all pieces of an input.

A piece leaves a hash of source and id for each document, 8 bytes on disk; so many at a time are compared, so memory is
bounded whatever the input. Two different ids share a hash in one of 2**64 pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dq.arrays import U64
from dq.text import content_keys, mix64

AT_A_TIME = 1 << 24  # hashes, 128 MB, and twice that to sort them


def id_hashes(documents: pa.Table) -> U64:
    """One of each document, of its source and id."""
    return mix64(content_keys(documents.column("source")), content_keys(documents.column("id")))


class RepeatedIds(NamedTuple):
    """Documents that share their id with another of their source, and where one of them is."""

    documents: int
    file: int = 0
    """Number of the file of hashes, from 0."""
    row: int = 0
    """Its row there, from 0."""


def repeated_ids(paths: Sequence[Path]) -> RepeatedIds:
    """The documents that share an id, given the files of hashes; of those with the smallest hash the first is named."""
    pieces = [np.load(path, mmap_mode="r") for path in paths]
    parts = -(-sum(map(len, pieces)) // AT_A_TIME) or 1
    width, found, smallest = -(-(1 << 64) // parts), 0, None
    for low in range(0, 1 << 64, width):
        high = np.uint64(min(low + width, 1 << 64) - 1)
        mine = np.concatenate([hashes[(hashes >= np.uint64(low)) & (hashes <= high)] for hashes in pieces])
        hashes, counts = np.unique(mine, return_counts=True)
        shared = counts > 1
        found += int(counts[shared].sum())
        if smallest is None and shared.any():
            smallest = hashes[shared][0]
    if smallest is None:
        return RepeatedIds(0)
    file = next(number for number, hashes in enumerate(pieces) if (hashes == smallest).any())
    return RepeatedIds(found, file, int(np.argmax(pieces[file] == smallest)))
