"""The proof of repeated passages: every piece sliced from both of its texts and compared, by no kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dq.dedup.passages.found import Passages
from dq.dedup.passages.stored import StoredTexts
from dq.dedup.shards import Shard

RELEASE_EVERY = 1024  # pieces


def unproven_pieces(passages: Passages, shards: Sequence[Shard]) -> pl.DataFrame:
    """The pieces that the texts do not bear out; none, if all is right.

    A piece is proven if it has ``min_bytes`` or more, its bytes are those of the kept document from ``kept_begin`` on,
    that is another place which it does not begin in, and its cut lies within it and behind the cut before.
    """
    with tempfile.TemporaryDirectory(prefix="dq-passages-") as folder:
        texts = StoredTexts.write(shards, Path(folder) / "texts", visible=False)
        data, offsets = texts.file.array, texts.offsets
        wrong, cut_before = [], (-1, 0)
        for number, row in enumerate(passages.pieces.iter_rows()):
            document, begin, end, kept, kept_begin, cut_begin, cut_end = row
            size, after = end - begin, cut_before[1] if cut_before[0] == document else 0
            inside = size >= passages.options.min_bytes and begin <= cut_begin <= cut_end <= end and cut_begin >= after
            there = offsets[kept] + kept_begin
            within = end <= passages.n_bytes[document] and kept_begin + size <= passages.n_bytes[kept]
            apart = document != kept or kept_begin + passages.options.min_bytes <= begin
            here = offsets[document] + begin
            same = within and np.array_equal(data[here : here + size], data[there : there + size])
            wrong.append(not (inside and apart and same))
            cut_before = (document, max(after, cut_end))
            if number % RELEASE_EVERY == 0:
                texts.file.release()
    return passages.pieces.filter(pl.Series(wrong, dtype=pl.Boolean))
