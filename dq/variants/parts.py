"""The parts of a variant: source x (all | kept | dropped), each with its share of the budget.

Source proportions are pinned: every variant takes each source's share of the raw tokens (or the study's own shares),
so that a comparison is about quality and not about the mixture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dq.errors import BudgetError
from dq.variants.spec import AnyVariant, Noisy, Raw, Repeated, TokenNoise

__all__ = ["Part", "Universe", "make_parts"]

Class = Literal["all", "kept", "dropped"]
ROUNDING_TOKENS = 1e-3
"""T_p is a float: far above its rounding error, and far below one token even summed over a thousand parts."""


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
        share: of the stream, so that T_p = share * T whatever T is.
        tokens: T_p, the part's tokens in the stream.
        epochs: k, copies of each drawn document (real where a short pool is repeated); its pool is U_p = T_p / k.
    """

    name: str
    source: str
    documents: np.ndarray[Any, np.dtype[np.int64]]
    share: float
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
    assert math.isclose(math.fsum(shares.values()), 1.0, abs_tol=1e-9), "shares are normalised by whoever makes them"
    epochs = float(spec.epochs) if isinstance(spec, Repeated) else 1.0
    parts = []
    for of, fraction in _composition(spec):
        members = universe.members(of)
        for source in sorted(source for source, share in shares.items() if share * fraction > 0):
            share = shares[source] * fraction
            documents = np.flatnonzero(members & (universe.sources == source))
            parts.append(
                Part(f"{source}/{of}", source, documents, share=share, tokens=budget_tokens * share, epochs=epochs)
            )
    available = [int(universe.lengths[part.documents].sum()) for part in parts]
    short = [_is_short(part, tokens) for part, tokens in zip(parts, available, strict=True)]
    if any(short) and (spec.when_short == "error" or 0 in available):
        what = _shortage(universe, spec, parts, available=available, shares=shares, budget_tokens=budget_tokens)
        raise BudgetError(f"variant {name}: {what}")
    return [
        replace(part, epochs=part.tokens / tokens) if is_short else part
        for part, tokens, is_short in zip(parts, available, short, strict=True)
    ]


def _is_short(part: Part, available: int) -> bool:
    """Whether a pool misses its quota by more than rounding: a budget of exactly what is there must fit."""
    return available == 0 or available < part.quota - ROUNDING_TOKENS


def _composition(spec: AnyVariant) -> list[tuple[Class, float]]:
    if isinstance(spec, Raw | TokenNoise):
        return [("all", 1.0)]
    if isinstance(spec, Noisy):
        return [("kept", 1.0 - spec.dose), ("dropped", spec.dose)]
    return [("kept", 1.0)]


def _shortage(
    universe: Universe,
    spec: AnyVariant,
    parts: Sequence[Part],
    *,
    available: Sequence[int],
    shares: Mapping[str, float],
    budget_tokens: int,
) -> str:
    """What is short, by how much, and the largest budget, dose or fewest epochs that would do."""
    ratios = [tokens / part.quota for part, tokens in zip(parts, available, strict=True)]
    worst = int(np.argmin(ratios))
    message = (
        f"{parts[worst].name} holds {available[worst]:,} tokens and {math.ceil(parts[worst].quota):,} are needed; "
    )
    if available[worst] == 0:
        return message + "add documents, change the rules, or leave this source out of `shares`"
    largest = math.floor(min(ratios) * budget_tokens + ROUNDING_TOKENS / 2)
    remedies = [f"lower `budget_tokens` to at most {largest:,}"]
    if isinstance(spec, Noisy):
        remedies += _other_doses(universe, spec, shares, budget_tokens=budget_tokens)
    else:
        if isinstance(spec, Repeated):
            remedies.append(f"raise `epochs` to at least {math.ceil(spec.epochs / min(ratios) - 1e-9)}")
        remedies.append("set `when_short: repeat`")
    return message + ", or ".join(remedies)


def _other_doses(universe: Universe, spec: Noisy, shares: Mapping[str, float], *, budget_tokens: int) -> Sequence[str]:
    """The nearest dose at which both the kept and the dropped documents of every source suffice, if there is one."""
    least, most = 0.0, 1.0
    for source, share in shares.items():
        if share > 0:
            needed, lengths = budget_tokens * share, np.where(universe.sources == source, universe.lengths, 0)
            least = max(least, 1 - int(lengths[universe.kept].sum()) / needed)
            most = min(most, int(lengths[universe.dropped].sum()) / needed)
    # Rounded to a dose that is within the limits.
    least, most = math.ceil(least * 10_000) / 10_000, math.floor(most * 10_000) / 10_000
    if most <= 0 or least > most:
        return []
    return [f"lower `dose` to at most {most:g}" if spec.dose > most else f"raise `dose` to at least {least:g}"]
