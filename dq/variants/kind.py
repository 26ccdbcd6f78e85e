"""What every kind of variant answers, so that parts, manifest and stream never ask which one they have.

A kind is one final class in one file of `dq/variants/kinds` (which documents, how often) or `dq/variants/noise` (whose
tokens are rewritten). `dq.variants.spec` finds it there, and nothing else is to be changed. A class that does not say
what it is made of cannot be made: there is no kind that it would silently be instead.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer

from dq.config import StrictModel
from dq.stages.base import Need
from dq.stages.heldout import Heldout
from dq.stages.selection import Selected
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.variants.documents import Members, Universe

I32: TypeAlias = "np.ndarray[Any, np.dtype[np.int32]]"
I64: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

ROUNDING_TOKENS = 1e-3
"""Quotas are floats: far above their rounding error, and far below one token even summed over a thousand parts."""

Noise: TypeAlias = Callable[[int, I32], I32]
"""Rewrites a document's tokens (without BOS), given its global number; the same in every epoch, of the same length."""


@dataclass(frozen=True)
class Ingredient:
    """Documents that a variant is made of, in every source alike.

    Attributes:
        fraction: share of the budget that they give.
        epochs: how often each of them is seen.
        pool_tokens: in place of `epochs`, its unique tokens, of all sources together, whatever the budget.
    """

    of: Members
    fraction: float = 1.0
    epochs: float = 1.0
    pool_tokens: float | None = None

    def quota(self, tokens: float, *, share: float) -> float:
        """Unique tokens of a source for its tokens of the stream; ``share`` is the source's of the ingredient.

        A stream shorter than the pool has its first tokens, and sees nothing twice.
        """
        return tokens / self.epochs if self.pool_tokens is None else min(tokens, self.pool_tokens * share)

    def epochs_at(self, budget_tokens: int) -> float:
        """How often its text is seen in a stream of so many tokens."""
        return self.epochs if self.pool_tokens is None else max(1.0, budget_tokens * self.fraction / self.pool_tokens)


def lower(field: str, most: float) -> str:
    """The remedy of a smaller number of tokens; the largest that fits is exact, though ``most`` was rounded."""
    return f"lower `{field}` to at most {math.floor(most + ROUNDING_TOKENS / 2):,}"


class Kind(StrictModel, ABC):
    """A kind of variant and its settings, as a study states them; the docstring's first line documents it."""

    kind: str
    """Its name in a study: in each kind a `Literal` with itself as default."""
    when_short: Literal["error", "repeat"] = "error"
    """What happens where the pool is smaller than the budget: stop, or repeat all of it as often as needed."""

    @abstractmethod
    def composition(self) -> tuple[Ingredient, ...]:
        """What it is made of; the fractions sum to 1."""

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Settings that are not there are in no record: a kind gets new ones without renaming its finished runs."""
        return {name: value for name, value in write(self).items() if value is not None}

    @property
    def needs(self) -> Mapping[str, Need]:
        """Outputs that decide its stream: a changed rule leaves variants of all documents, and their runs, alone."""
        pool = {"tokens": Need(TokenPool), "heldout": Need(Heldout)}
        if all(one.of == "all" for one in self.composition()):
            return pool
        return pool | {"verdicts": Need(Verdicts), "selection": Need(Selected)}

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """What would do where the shortest part fills only ``fill`` of its quota."""
        del universe, shares
        return [lower("budget_tokens", fill * budget_tokens), "set `when_short: repeat`"]

    def noise(self, universe: Universe, *, vocabulary_size: int, seed: int) -> Noise | None:
        """What rewrites its documents in one seed's stream, if anything does."""
        del universe, vocabulary_size, seed
        return None

    def rewritten_tokens(self, n_tokens: I64) -> I64:
        """How many of documents' tokens (without BOS) its noise rewrites: int64, same shape."""
        return np.zeros_like(n_tokens)
