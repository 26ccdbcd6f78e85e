"""How well a text compresses: repetition and boilerplate compress well, noise does not.

The dictionary of zlib sees 32 kB back, so repetition further apart does not count.
"""

from __future__ import annotations

import zlib

import numpy as np

from dq.arrays import F64
from dq.text import Texts, text_batch, tidied


class Compression:
    """The signal `compression_ratio`: bytes of the text by bytes of its zlib compression; undefined for empty texts."""

    names = ("compression_ratio",)

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Compress each text at level 6."""
        batch = tidied(text_batch(texts))
        found = np.full(len(batch), np.nan)
        for row in range(len(batch)):
            text = batch.data[batch.offsets[row] : batch.offsets[row + 1]]
            if len(text):
                found[row] = len(text) / len(zlib.compress(text.tobytes(), 6))
        return {"compression_ratio": found}
