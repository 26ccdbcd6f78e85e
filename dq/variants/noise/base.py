"""Noise in tokens: a dose of each document's tokens is rewritten. The ledger of it is arithmetic.

Which positions those are hashes (seed, document, position): the same in every epoch, and nested: a larger dose rewrites
the positions of a smaller one and more.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeAlias

import numpy as np
from pydantic import Field

from dq.text import mix64, uniform
from dq.variants.documents import Universe
from dq.variants.kind import Ingredient, Kind, Noise

I32: TypeAlias = "np.ndarray[Any, np.dtype[np.int32]]"
I64: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
F64: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
WHERE, WHAT = 0x7768657265, 0x77686174  # two independent draws a position


class DosedNoise(Kind):
    """Raw documents with ``round(dose * n)`` of the n tokens of each rewritten; a kind says only by what."""

    dose: float = Field(gt=0, le=1)
    """Share of the tokens of each document that is rewritten, exact to one token a document."""

    @abstractmethod
    def rewritten(self, tokens: I32, draws: F64, *, vocabulary_size: int) -> I32:
        """The new tokens of one document's chosen positions: int32, same shape; BOS (0) is none of them.

        Args:
            tokens: int32 (n,), what stands there, in an order that the seed decides.
            draws: float64 (n,) in [0, 1), one a position, whatever the dose.
        """

    def composition(self) -> tuple[Ingredient, ...]:
        """All documents."""
        return (Ingredient("all"),)

    def rewritten_tokens(self, n_tokens: I64) -> I64:
        """``round(dose * n)``."""
        rewritten: I64 = np.rint(self.dose * n_tokens).astype(np.int64)
        return rewritten

    def noise(self, universe: Universe, *, vocabulary_size: int, seed: int) -> Noise:
        """Rewrite the chosen positions of a document."""

        def rewrite(document: int, tokens: I32) -> I32:
            identity, positions = universe.identity(document), np.arange(len(tokens))
            order = np.argsort(mix64(*identity, positions, seed, WHERE), kind="stable")
            chosen = order[: int(self.rewritten_tokens(np.array(len(tokens))))]
            draws = uniform(mix64(*identity, chosen, seed, WHAT))
            noisy = tokens.copy()
            noisy[chosen] = self.rewritten(tokens[chosen], draws, vocabulary_size=vocabulary_size)
            return noisy

        return rewrite
