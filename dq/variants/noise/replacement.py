"""Random tokens: a control with a known sign."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from dq.variants.noise.base import F64, I32, DosedNoise


@final
class TokenNoise(DosedNoise):
    """Raw documents with a share of each one's tokens replaced by random ones."""

    kind: Literal["token_noise"] = "token_noise"

    def rewritten(self, tokens: I32, draws: F64, *, vocabulary_size: int) -> I32:
        """Uniform draws from the vocabulary without BOS."""
        del tokens
        return 1 + (draws * (vocabulary_size - 1)).astype(np.int32)
