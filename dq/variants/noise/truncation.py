"""Documents that end too early: what long texts, and ends, are worth."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from dq.arrays import I64
from dq.variants.documents import Universe
from dq.variants.ingredient import Layer
from dq.variants.noise.base import Noise


@final
class Truncation(Noise):
    """Documents without a share of each one's tokens, at its end."""

    kind: Literal["truncation"] = "truncation"

    def left(self, n_tokens: I64) -> I64:
        """All but ``round(dose * n)``."""
        return np.asarray(n_tokens - np.rint(self.dose * n_tokens).astype(np.int64))

    def ledger(self, universe: Universe, layers: tuple[Layer, ...], at: int) -> tuple[float, float, str]:
        """The tokens of all available documents that are cut."""
        whole = universe.lengths_after(layers[:at])[universe.available] - 1
        return float((whole - self.left(whole)).sum()), float(whole.sum()), "tokens"
