"""The parts of a variant: source x (all | kept | dropped) x what is done to them, each with its share of the budget.

Source proportions are pinned: every variant takes each source's share of the raw tokens (or the study's own shares),
so that a comparison is about quality and not about the mixture; a kind with shares of its own says so in its manifest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dq.arrays import I64
from dq.errors import BudgetError, ConfigError, listed, nearest
from dq.variants.documents import Universe
from dq.variants.ingredient import ROUNDING_TOKENS, Ingredient, Layer
from dq.variants.kind import Kind


@dataclass(frozen=True)
class Part:
    """Members of one source, and how many tokens of the stream they give.

    Attributes:
        name: ``source/members``, and what is done to them.
        documents: int64, global numbers of the documents to draw from.
        share: of the stream, so that T_p = share * T whatever T is.
        tokens: T_p, the part's tokens in the stream.
        quota: U_p, unique tokens to draw.
        lengths: int64, tokens of every document of the corpus with BOS, when its layers are done.
        counts: int64, how often each of `documents` is seen; None where all are as often.
        layers: what is done to them.
        dosed: the kind whose dose it is, if it is one's.
    """

    name: str
    source: str
    documents: I64
    share: float
    tokens: float
    quota: float
    lengths: I64
    counts: I64 | None = None
    layers: tuple[Layer, ...] = ()
    dosed: str = ""

    @property
    def epochs(self) -> float:
        """K = T_p / U_p, copies of all that is drawn."""
        return self.tokens / self.quota

    @property
    def unique_available(self) -> int:
        """Tokens of its documents."""
        return int(self.lengths[self.documents].sum())

    @property
    def texts(self) -> tuple[Layer, ...]:
        """The layers that rewrite text."""
        return tuple(layer for layer in self.layers if layer.cleaner is not None)


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
    available = [part.unique_available for part in parts]
    short = [_is_short(part, tokens) for part, tokens in zip(parts, available, strict=True)]
    if any(short) and (spec.when_short == "error" or 0 in available):
        fills = [tokens / part.quota for part, tokens in zip(parts, available, strict=True)]
        worst = int(np.argmin(fills))
        what = f"{parts[worst].name} holds {available[worst]:,} tokens and {math.ceil(parts[worst].quota):,} are needed"
        if available[worst]:
            remedies = [*spec.remedies(universe, shares=shares, budget_tokens=budget_tokens, fill=fills[worst])]
        else:
            remedies = ["add documents", "change the rules"]
        if lacking := _dispensable(universe, spec, budget_tokens=budget_tokens, shares=shares):
            remedies.append(f"leave out what is short, by other `shares` or `without: [{', '.join(lacking)}]`")
        raise BudgetError(f"variant {name}: {what}; {', or '.join(remedies)}")
    return [
        replace(part, quota=float(tokens)) if is_short else part
        for part, tokens, is_short in zip(parts, available, short, strict=True)
    ]


def suffices(universe: Universe, spec: Kind, *, budget_tokens: int, shares: Mapping[str, float]) -> bool:
    """Whether the pool of every part is as large as its quota."""
    parts = _unchecked(universe, spec, budget_tokens=budget_tokens, shares=shares)
    return not any(_is_short(part, part.unique_available) for part in parts)


def _unchecked(universe: Universe, spec: Kind, *, budget_tokens: int, shares: Mapping[str, float]) -> list[Part]:
    """The parts, whether or not their pools suffice."""
    composition = spec.composition()
    assert math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-9), "shares are normalised by whoever makes them"
    assert math.isclose(math.fsum(one.fraction for one in composition), 1, abs_tol=1e-9), (
        "a kind is wholly of something"
    )
    parts: list[Part] = []
    for one in composition:
        if one.fraction == 0:
            continue
        lengths = universe.lengths_after(one.layers)
        for source, share in sorted(shares_of(one, universe, shares).items()):
            if share > 0:
                part = _part(universe, one, source=source, share=share, budget_tokens=budget_tokens, lengths=lengths)
                parts.append(replace(part, name=_free(part.name, [other.name for other in parts])))
    return parts


def _part(universe: Universe, one: Ingredient, *, source: str, share: float, budget_tokens: int, lengths: I64) -> Part:
    documents = np.flatnonzero(universe.members(one.of) & (universe.sources == source))
    tokens = budget_tokens * (share * one.fraction)
    counts, quota = None, one.quota(tokens, share=share)
    if one.counts is not None:
        counts = one.counts.of(universe, documents)
        documents, counts = documents[counts > 0], counts[counts > 0]
        if copies := int((lengths[documents] * counts).sum()):
            quota = tokens * (int(lengths[documents].sum()) / copies)
    return Part(
        name=f"{source}/{one.name}",
        source=source,
        documents=documents,
        share=share * one.fraction,
        tokens=tokens,
        quota=quota,
        lengths=lengths,
        counts=counts,
        layers=one.layers,
        dosed=one.dosed,
    )


def shares_of(one: Ingredient, universe: Universe, shares: Mapping[str, float]) -> Mapping[str, float]:
    """The sources of an ingredient, with shares that sum to 1.

    Raises:
        ConfigError: it names a source that there is not.
    """
    known = universe.raw_shares()
    for source in (*(one.sources or ()), *one.proportional, *one.without):
        if source not in known:
            raise ConfigError(nearest(source, known, what="source"), field="sources")
    if one.sources is not None:
        chosen = dict(one.sources)
    elif one.proportional:
        tokens = universe.tokens_by_source(one.of)
        chosen = {source: float(tokens[source]) for source in one.proportional}
    elif one.without:
        chosen = {source: share for source, share in shares.items() if source not in one.without}
    else:
        return shares
    total = math.fsum(chosen.values())
    if not total:
        raise BudgetError(f"there is no text but of {listed(sorted({*one.proportional, *one.without}))}; name fewer")
    return {source: share / total for source, share in chosen.items()}


def _dispensable(universe: Universe, spec: Kind, *, budget_tokens: int, shares: Mapping[str, float]) -> list[str]:
    """The sources without which all that are left suffice, if a kind takes the study's sources and any are left.

    What is left has larger shares, so that it may lack tokens in its turn.
    """
    if any(one.sources is not None or one.proportional for one in spec.composition()):
        return []
    left = dict(shares)
    while total := math.fsum(left.values()):
        scaled = {source: share / total for source, share in left.items()}
        parts = _unchecked(universe, spec, budget_tokens=budget_tokens, shares=scaled)
        lacking = {part.source for part in parts if _is_short(part, part.unique_available)}
        if not lacking:
            return sorted(shares.keys() - left.keys())
        left = {source: share for source, share in left.items() if source not in lacking}
    return []


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, or with a number behind it: two ingredients may be of the same documents."""
    numbered = (f"{name}#{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def _is_short(part: Part, available: int) -> bool:
    """Whether a pool misses its quota by more than rounding: a budget of exactly what is there must fit."""
    return available == 0 or available < part.quota - ROUNDING_TOKENS
