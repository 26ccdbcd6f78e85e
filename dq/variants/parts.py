"""The parts of a variant: source x (all | kept | dropped), each with its share of the budget.

Source proportions are pinned: every variant takes each source's share of the raw tokens (or the study's own shares),
so that a comparison is about quality and not about the mixture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dq.errors import BudgetError, listed
from dq.variants.documents import Universe
from dq.variants.kind import ROUNDING_TOKENS, Kind


@dataclass(frozen=True)
class Part:
    """Members of one source, and how many tokens of the stream they give.

    Attributes:
        name: ``source/members``.
        documents: int64, global numbers of the documents to draw from.
        share: of the stream, so that T_p = share * T whatever T is.
        tokens: T_p, the part's tokens in the stream.
        quota: U_p, unique tokens to draw.
    """

    name: str
    source: str
    documents: np.ndarray[Any, np.dtype[np.int64]]
    share: float
    tokens: float
    quota: float

    @property
    def epochs(self) -> float:
        """K = T_p / U_p, copies of all that is drawn."""
        return self.tokens / self.quota


def make_parts(
    universe: Universe,
    spec: Kind,
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
    parts = _unchecked(universe, spec, budget_tokens=budget_tokens, shares=shares)
    available = [int(universe.lengths[part.documents].sum()) for part in parts]
    short = [_is_short(part, tokens) for part, tokens in zip(parts, available, strict=True)]
    if any(short) and (spec.when_short == "error" or 0 in available):
        fills = [tokens / part.quota for part, tokens in zip(parts, available, strict=True)]
        worst = int(np.argmin(fills))
        what = f"{parts[worst].name} holds {available[worst]:,} tokens and {math.ceil(parts[worst].quota):,} are needed"
        if others := [part.name for at, part in enumerate(parts) if not available[at] and at != worst]:
            what += f" (nor is there anything in {listed(others)})"
        remedies = ["add documents, change the rules, or give `shares` of the other sources alone"]
        if available[worst] > 0:
            remedies = [*spec.remedies(universe, shares=shares, budget_tokens=budget_tokens, fill=fills[worst])]
        raise BudgetError(f"variant {name}: {what}; {', or '.join(remedies)}")
    return [
        replace(part, quota=float(tokens)) if is_short else part
        for part, tokens, is_short in zip(parts, available, short, strict=True)
    ]


def _unchecked(universe: Universe, spec: Kind, *, budget_tokens: int, shares: Mapping[str, float]) -> list[Part]:
    """The parts, whether or not their pools suffice."""
    composition = spec.composition()
    assert math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-9), "shares are normalised by whoever makes them"
    assert math.isclose(math.fsum(one.fraction for one in composition), 1, abs_tol=1e-9), (
        "a kind is wholly of something"
    )
    return [
        Part(
            name=f"{source}/{one.of}",
            source=source,
            documents=np.flatnonzero(universe.members(one.of) & (universe.sources == source)),
            share=share * one.fraction,
            tokens=(tokens := budget_tokens * (share * one.fraction)),
            quota=one.quota(tokens, share=share),
        )
        for one in composition
        if one.fraction > 0
        for source, share in sorted(shares.items())
        if share > 0
    ]


def _is_short(part: Part, available: int) -> bool:
    """Whether a pool misses its quota by more than rounding: a budget of exactly what is there must fit."""
    return available == 0 or available < part.quota - ROUNDING_TOKENS
