"""What every kind of variant answers, so that parts, manifest and stream never ask which one they have.

A kind is one final class in one file of `dq/variants/kinds` (which documents, how often) or `dq/variants/noise` (whose
tokens are rewritten). `dq.variants.spec` finds it there, and nothing else is to be changed. A class that does not say
what it is made of cannot be made: there is no kind that it would silently be instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from dq.config import StrictModel
from dq.stages.base import Need
from dq.stages.heldout import Heldout
from dq.stages.selection import Selected
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.variants.documents import Members, Universe

I32: TypeAlias = "np.ndarray[Any, np.dtype[np.int32]]"
I64: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

Noise: TypeAlias = Callable[[int, I32], I32]
"""Rewrites a document's tokens (without BOS), given its global number; the same in every epoch, of the same length."""


@dataclass(frozen=True)
class Ingredient:
    """Documents that a variant is made of, in every source alike.

    Attributes:
        fraction: share of the budget that they give.
        epochs: how often each of them is seen.
    """

    of: Members
    fraction: float = 1.0
    epochs: float = 1.0


class Kind(StrictModel, ABC):
    """A kind of variant and its settings, as a study states them; the docstring's first line documents it."""

    kind: str
    """Its name in a study: in each kind a `Literal` with itself as default."""
    when_short: Literal["error", "repeat"] = "error"
    """What happens where the pool is smaller than the budget: stop, or repeat all of it as often as needed."""

    @abstractmethod
    def composition(self) -> tuple[Ingredient, ...]:
        """What it is made of; the fractions sum to 1."""

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
        """What else, beside a smaller budget, would do where the shortest part fills only ``fill`` of its quota."""
        del universe, shares, budget_tokens, fill
        return ["set `when_short: repeat`"]

    def noise(self, universe: Universe, *, vocabulary_size: int, seed: int) -> Noise | None:
        """What rewrites its documents in one seed's stream, if anything does."""
        del universe, vocabulary_size, seed
        return None

    def rewritten_tokens(self, n_tokens: I64) -> I64:
        """How many of documents' tokens (without BOS) its noise rewrites: int64, same shape."""
        return np.zeros_like(n_tokens)
