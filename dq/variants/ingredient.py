"""What variants are made of: documents, how often each is seen, and what is done to them before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from dq.arrays import I32, I64
from dq.text import Cleaner
from dq.variants.counts import Counts
from dq.variants.documents import Members, Universe

ROUNDING_TOKENS = 1e-3
"""Quotas are floats: far above their rounding error, and far below one token even summed over a thousand parts."""

Rewriter: TypeAlias = Callable[[int, I32], I32]
"""Rewrites a document's tokens (without BOS), given its global number; the same in every epoch."""


class Layer(ABC):
    """What noise does to documents, one layer on another: to their text, to how long they are, to their tokens.

    Text is rewritten once, into a text version and a token pool of its own (`dq.variants.derived`); the rest is done
    while a stream is read, and takes no disk.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """Names it in the parts of a manifest."""

    @property
    @abstractmethod
    def asked(self) -> float:
        """The dose that is asked for."""

    @property
    def cleaner(self) -> Cleaner | None:
        """What rewrites the text, if it does."""
        return None

    def left(self, n_tokens: I64) -> I64:
        """How many of documents' tokens (without BOS) stay, from the first: int64, same shape."""
        return n_tokens

    def rewriter(self, universe: Universe, *, vocabulary_size: int, seed: int) -> Rewriter | None:
        """What rewrites the tokens of documents in one seed's stream, if anything does."""
        del universe, vocabulary_size, seed
        return None

    def ledger(self, universe: Universe, layers: tuple[Layer, ...], at: int) -> tuple[float, float, str] | None:
        """What it changed, of how much, and in what: in the pool of all documents, as number ``at`` of ``layers``.

        None where it rewrites tokens: that is arithmetic, see `rewritten_tokens`.
        """
        del universe, layers, at
        return None

    def rewritten_tokens(self, n_tokens: I64) -> I64:
        """How many of documents' tokens (without BOS) that is: int64, same shape."""
        return n_tokens * 0


@dataclass(frozen=True)
class Ingredient:
    """Documents that a variant is made of, in every source alike.

    Attributes:
        fraction: share of the budget that they give.
        epochs: how often each of them is seen.
        pool_tokens: in place of `epochs`, its unique tokens, of all sources together, whatever the budget.
        counts: in place of `epochs`, how often each document is seen.
        sources: shares of its own by source, in place of the study's.
        proportional: in place of these: the sources that it has, each by its tokens.
        without: sources that it does not have; the others have their shares by the study's.
        layers: what is done to them, in turn.
        label: tells it from others of the same documents.
        dosed: the kind whose dose is this ingredient's share of the stream, if it is one's.
    """

    of: Members
    fraction: float = 1.0
    epochs: float = 1.0
    pool_tokens: float | None = None
    counts: Counts | None = None
    sources: Mapping[str, float] | None = None
    proportional: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = field(default=())
    label: str = ""
    dosed: str = ""

    def quota(self, tokens: float, *, share: float) -> float:
        """Unique tokens of a source for its tokens of the stream; ``share`` is the source's of the ingredient.

        A stream shorter than the pool has its first tokens, and sees nothing twice.
        """
        return tokens / self.epochs if self.pool_tokens is None else min(tokens, self.pool_tokens * share)

    def epochs_at(self, budget_tokens: int) -> float:
        """How often the most frequent of its text is seen in a stream of so many tokens, at the most."""
        if self.counts is not None:
            return self.counts.most
        return self.epochs if self.pool_tokens is None else max(1.0, budget_tokens * self.fraction / self.pool_tokens)

    @property
    def grows(self) -> bool:
        """Whether more text is drawn for a larger budget as often as for a smaller: a stream is then no prefix."""
        return self.counts is not None or (self.pool_tokens is None and self.epochs > 1)

    @property
    def texts(self) -> tuple[Layer, ...]:
        """The layers that rewrite text: they come first."""
        return tuple(layer for layer in self.layers if layer.cleaner is not None)

    @property
    def name(self) -> str:
        """Of its documents in every source, such as ``kept+token_noise``."""
        return "+".join([self.of, *(layer.label for layer in self.layers), *([self.label] if self.label else [])])


def rewriter_of(layers: Sequence[Layer], universe: Universe, *, vocabulary_size: int, seed: int) -> Rewriter | None:
    """All that layers do to tokens, one after another; None where that is nothing, or to leave the last ones out."""
    each = [layer.rewriter(universe, vocabulary_size=vocabulary_size, seed=seed) for layer in layers]
    if not any(each):
        return None

    def rewrite(document: int, tokens: I32) -> I32:
        for layer, one in zip(layers, each, strict=True):
            tokens = tokens[: int(layer.left(np.array(len(tokens))))]
            tokens = one(document, tokens) if one else tokens
        return tokens

    return rewrite
