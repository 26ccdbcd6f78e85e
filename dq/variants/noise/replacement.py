"""Random tokens: a control with a known sign."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np

from dq.arrays import F64, I32
from dq.variants.noise.base import TokenRewriting


@final
class TokenNoise(TokenRewriting):
    """Documents with a share of each one's tokens replaced by other ones, at random."""

    version: ClassVar[int] = 2

    kind: Literal["token_noise"] = "token_noise"

    def rewritten(self, tokens: I32, draws: F64, *, vocabulary_size: int, bos_id: int) -> I32:
        """Uniform draws from the vocabulary without BOS and without the token that stands there."""
        known = (tokens >= 0) & (tokens < vocabulary_size) & (tokens != bos_id)
        drawn: I32 = (draws * (vocabulary_size - 1 - known)).astype(np.int32)
        # One step over each of the two, the lower one first.
        drawn += drawn >= np.where(known, np.minimum(tokens, bos_id), bos_id)
        drawn += known & (drawn >= np.maximum(tokens, bos_id))
        return drawn
