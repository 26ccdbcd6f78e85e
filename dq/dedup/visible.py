"""Visible characters of texts, repeats left out: what the policy `longest` goes by."""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, read_only
from dq.dedup.kernels.visible import count_visible
from dq.dedup.normalization import canonical_tables
from dq.dedup.shards import Shard, load_shard
from dq.text import character_classes


def visible_characters(shard: Shard) -> I64:
    """Of every text: int64 (texts,)."""
    batch = load_shard(shard)
    counts = np.zeros(len(batch), np.int64)
    given = (read_only(batch.data), read_only(batch.offsets), read_only(np.arange(len(batch))))
    count_visible(*given, canonical_tables(), character_classes(), counts)
    return counts
