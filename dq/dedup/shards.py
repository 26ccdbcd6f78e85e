"""What deduplication reads: the texts of a corpus, a shard at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dq.text import TextBatch, Texts, text_batch

Shard: TypeAlias = "Callable[[], Texts] | Texts"
"""The texts of one shard, or a function that reads them; it is called once a pass, in a thread."""


def load_shard(shard: Shard) -> TextBatch:
    """The texts of a shard as bytes and offsets."""
    return text_batch(shard() if callable(shard) else shard)
