"""Ids that documents of one source share, counted over all pieces of an input.

A piece leaves a hash of source and id for each document, 8 bytes on disk; so many at a time are compared, so memory is
bounded whatever the input. Two different ids share a hash in one of 2**64 pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dq.arrays import U64
from dq.text import content_keys, mix64

AT_A_TIME = 1 << 24  # hashes, 128 MB, and twice that to sort them


def id_hashes(documents: pa.Table) -> U64:
    """One of each document, of its source and id."""
    return mix64(content_keys(documents.column("source")), content_keys(documents.column("id")))


def repeated_ids(paths: Sequence[Path]) -> int:
    """How many documents share their id with another of their source, given the files of hashes."""
    pieces = [np.load(path, mmap_mode="r") for path in paths]
    parts = -(-sum(map(len, pieces)) // AT_A_TIME) or 1
    width, found = -(-(1 << 64) // parts), 0
    for low in range(0, 1 << 64, width):
        high = np.uint64(min(low + width, 1 << 64) - 1)
        mine = np.concatenate([hashes[(hashes >= np.uint64(low)) & (hashes <= high)] for hashes in pieces])
        counts = np.unique(mine, return_counts=True)[1]
        found += int(counts[counts > 1].sum())
    return found
