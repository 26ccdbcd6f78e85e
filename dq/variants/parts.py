"""The parts of a variant: source x (all | kept | dropped), each with its share of the budget.

Source proportions are pinned: every variant takes each source's share of the raw tokens (or the study's own shares),
so that a comparison is about quality and not about the mixture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dq.errors import BudgetError
from dq.variants.spec import AnyVariant, Noisy, Raw, Repeated, TokenNoise

__all__ = ["Part", "Universe", "make_parts"]

Class = Literal["all", "kept", "dropped"]


@dataclass(frozen=True)
class Universe:
    """What variants choose from; arrays over all documents of the corpus, in its order.

    Attributes:
        lengths: int64, tokens with BOS.
        sources: str, the source of each document.
        content_keys: uint64. Identity for random draws, with source and occurrence.
        occurrences: uint32, number among identical documents of one source.
        available: bool, neither held out nor excluded.
        kept: bool, kept by the rules and by deduplication (a subset of available).
        dropped: bool, dropped by a rule (a subset of available).
    """

    lengths: np.ndarray[Any, np.dtype[np.int64]]
    sources: np.ndarray[Any, np.dtype[np.object_]]
    content_keys: np.ndarray[Any, np.dtype[np.uint64]]
    occurrences: np.ndarray[Any, np.dtype[np.uint32]]
    available: np.ndarray[Any, np.dtype[np.bool_]]
    kept: np.ndarray[Any, np.dtype[np.bool_]]
    dropped: np.ndarray[Any, np.dtype[np.bool_]]

    def members(self, of: Class) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Documents of a class: bool."""
        return {"all": self.available, "kept": self.kept, "dropped": self.dropped}[of]

    def raw_shares(self) -> dict[str, float]:
        """Each source's share of the available tokens."""
        tokens = {
            str(source): int(self.lengths[self.available & (self.sources == source)].sum())
            for source in sorted(set(self.sources[self.available]))
        }
        total = sum(tokens.values())
        return {source: count / total for source, count in tokens.items()}


@dataclass(frozen=True)
class Part:
    """Documents of one source and class, and how many tokens of the stream they give.

    Attributes:
        name: ``source/class``.
        documents: int64, global numbers of the documents to draw from.
        tokens: T_p, the part's tokens in the stream.
        epochs: k, copies of each drawn document (real where a short pool is repeated); its pool is U_p = T_p / k.
    """

    name: str
    source: str
    documents: np.ndarray[Any, np.dtype[np.int64]]
    tokens: float
    epochs: float

    @property
    def quota(self) -> float:
        """U_p: unique tokens to draw."""
        return self.tokens / self.epochs


def make_parts(
    universe: Universe,
    spec: AnyVariant,
    *,
    budget_tokens: int,
    shares: Mapping[str, float],
    name: str,
) -> list[Part]:
    """The parts of a variant at a budget.

    Args:
        shares: share of the budget per source; sums to 1.
        name: the variant's name, for errors.

    Raises:
        BudgetError: a part's pool is too small; names available and needed tokens, and what would fit.
    """
    parts: list[Part] = []
    for of, fraction in _composition(spec):
        members = universe.members(of)
        for source, share in shares.items():
            tokens = budget_tokens * share * fraction
            if tokens == 0:
                continue
            documents = np.flatnonzero(members & (universe.sources == source))
            available = int(universe.lengths[documents].sum())
            epochs = float(spec.epochs) if isinstance(spec, Repeated) else 1.0
            if available < tokens / epochs:
                if spec.when_short == "error" or available == 0:
                    largest = available * epochs / tokens
                    raise BudgetError(
                        _shortage(spec, name, part=f"{source}/{of}", ratio=largest, needed=tokens / epochs)
                    )
                epochs = tokens / available
            parts.append(Part(f"{source}/{of}", source, documents, tokens, epochs))
    return parts


def _composition(spec: AnyVariant) -> list[tuple[Class, float]]:
    if isinstance(spec, Raw | TokenNoise):
        return [("all", 1.0)]
    if isinstance(spec, Noisy):
        return [("kept", 1.0 - spec.dose), ("dropped", spec.dose)]
    return [("kept", 1.0)]


def _shortage(spec: AnyVariant, name: str, *, part: str, ratio: float, needed: float) -> str:
    available = int(ratio * needed)
    message = f"variant {name}: {part} holds {available:,} tokens and {round(needed):,} are needed; "
    if isinstance(spec, Noisy):
        dose = f"a dose of at most {spec.dose * ratio:.3g}, or " if part.endswith("dropped") else ""
        return message + f"use {dose}a budget of at most {ratio:.0%} of this one"
    remedy = "add documents, lower `budget_tokens`" + (", raise `epochs`" if isinstance(spec, Repeated) else "")
    return message + f"{remedy} (to at most {ratio:.0%}), or set `when_short: repeat`"
