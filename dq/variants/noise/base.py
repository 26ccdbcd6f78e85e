"""Noise: what is done to documents, each by its own dose, over any base.

Which places of a document a dose takes hashes (seed, content, place): the same in every epoch, and nested: a larger
dose takes the places of a smaller one and more. A dose of 0 is the base itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from dq.arrays import F64, I32, I64
from dq.config import FieldFault
from dq.stages.tokens import RewrittenTokens
from dq.text import Cleaner, mix64, uniform
from dq.variants.documents import Universe
from dq.variants.ingredient import Ingredient, Layer, Rewriter
from dq.variants.kind import Composed

WHERE, WHAT = 0x7768657265, 0x77686174  # two independent draws a place


class Noise(Composed, Layer, ABC):
    """A layer on all that the base is made of; without a base, on raw documents."""

    dose: float = Field(ge=0, le=1)
    """Share of each document that is changed."""

    @property
    def label(self) -> str:
        """The kind's name."""
        return self.kind

    @property
    def asked(self) -> float:
        """The dose."""
        return self.dose

    def composition(self) -> tuple[Ingredient, ...]:
        """The base's, with this layer on top."""
        base = self.of_base(Ingredient("all"))
        return tuple(replace(one, layers=(*one.layers, self)) for one in base) if self.dose else base


class TokenRewriting(Noise, ABC):
    """``round(dose * n)`` of the n tokens of each document are rewritten; a kind says only by what."""

    seed: int | None = Field(default=None, ge=0)
    """Decides what is rewritten. Default: each run's own seed does."""

    @abstractmethod
    def rewritten(self, tokens: I32, draws: F64, *, vocabulary_size: int, bos_id: int) -> I32:
        """The new tokens of one document's chosen positions: int32, same shape; BOS is none of them.

        Args:
            tokens: int32 (n,), what stands there, in an order that the seed decides.
            draws: float64 (n,) in [0, 1), one a position, whatever the dose.
        """

    def rewritten_tokens(self, n_tokens: I64) -> I64:
        """``round(dose * n)``."""
        rewritten: I64 = np.rint(self.dose * n_tokens).astype(np.int64)
        return rewritten

    def rewriter(self, universe: Universe, *, vocabulary_size: int, seed: int) -> Rewriter:
        """Rewrite the chosen positions of a document."""
        drawn_with = seed if self.seed is None else self.seed

        def rewrite(document: int, tokens: I32) -> I32:
            identity, positions = universe.identity(document), np.arange(len(tokens))
            order = np.argsort(mix64(*identity, positions, drawn_with, WHERE), kind="stable")
            chosen = order[: int(self.rewritten_tokens(np.array(len(tokens))))]
            draws = uniform(mix64(*identity, chosen, drawn_with, WHAT))
            noisy = tokens.copy()
            noisy[chosen] = self.rewritten(
                tokens[chosen], draws, vocabulary_size=vocabulary_size, bos_id=universe.bos_id
            )
            return noisy

        return rewrite


class TextRewriting(Noise, ABC):
    """The text of each document is rewritten, and tokenised anew: a token pool of its own, made once for all seeds."""

    seed: int = Field(default=0, ge=0)
    """Decides what is rewritten; the same for all seeds of a study, which share the pool."""

    @property
    @abstractmethod
    def cleaner(self) -> Cleaner:
        """What rewrites the text; it counts ``changed`` and ``of``."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What it counts, such as ``letters``."""

    @model_validator(mode="after")
    def _text_before_tokens(self) -> Self:
        layers = [layer for one in self.of_base(Ingredient("all")) for layer in one.layers]
        if above := next((layer for layer in layers if layer.cleaner is None), None):
            message = f"text is rewritten before tokens: make {self.kind} the base of {above.label}"
            raise FieldFault(message, "base", "kind")
        return self

    def ledger(self, universe: Universe, layers: tuple[Layer, ...], at: int) -> tuple[float, float, str]:
        """What its cleaner counted."""
        pool = universe.pool(tuple(layer for layer in layers if layer.cleaner is not None))
        assert isinstance(pool, RewrittenTokens), "a manifest is of streams that are there"
        counts = pool.ledger[at]  # text is rewritten first
        return counts["changed"], counts["of"], self.unit
