"""Small universes and token pools on disk: the variants' input without the stages before it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import polars as pl
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from dq.stages.tokens import TokenPool
from dq.store import Stage, write_bytes_atomic, write_parquet
from dq.variants import Kind, Part, Stream, Universe, Variant
from dq.variants.stream import StreamOrder, order_stream

VOCABULARY = 500


def universe(seed: int = 0, documents: int = 200, longest: int = 60) -> Universe:
    """Two sources of unequal lengths and keep rates: short clean news, long web pages of which few are kept.

    Some documents are withheld, some are duplicates that deduplication removed, some are copies in one source.
    """
    rng = np.random.default_rng(seed)
    web = rng.random(documents) < 0.5
    web[:2] = [True, False]
    lengths = np.where(web, rng.integers(2, 3 * longest, documents), rng.integers(1, longest, documents))
    keys = rng.integers(0, 2**64, documents, dtype=np.uint64)
    occurrences = np.zeros(documents, np.uint32)
    for copy in range(3, documents, 29):
        web[copy], lengths[copy], keys[copy] = web[copy - 1], lengths[copy - 1], keys[copy - 1]
        occurrences[copy] = 1
    available = rng.random(documents) > 0.05
    judged = np.where(web, rng.random(documents) < 0.4, rng.random(documents) < 0.85)
    judged[:2], available[:2] = True, True
    removed = rng.random(documents) < 0.1
    removed[:2] = False
    return Universe(
        lengths=lengths.astype(np.int64),
        sources=np.where(web, "web", "news").astype(object),
        content_keys=keys,
        occurrences=occurrences,
        available=available,
        kept=available & judged & ~removed,
        dropped=available & ~judged,
    )


def tokens_in(world: Universe, members: np.ndarray[Any, Any], source: str) -> int:
    return int(world.lengths[members & (world.sources == source)].sum())


def fitting_budget(world: Universe, shares: dict[str, float], members: np.ndarray[Any, Any]) -> int:
    """The largest T that every source's members can fill once."""
    return int(min(tokens_in(world, members, source) / share for source, share in shares.items()))


def permuted(world: Universe, order: np.ndarray[Any, Any]) -> Universe:
    """The same documents in another order."""
    arrays = {name: values for name, values in vars(world).items() if isinstance(values, np.ndarray)}
    return dataclasses.replace(world, **{name: values[order] for name, values in arrays.items()})


def pool(folder: Path, world: Universe, *, seed: int = 0) -> TokenPool:
    """A real token pool of random tokens: BOS (0) and then 1 to 499, a function of the content key."""
    stage = Stage("tokens", 1, folder)
    stage.start()
    parts = []
    for key, length in zip(world.content_keys, world.lengths, strict=True):
        body = np.random.default_rng([seed, int(key)]).integers(1, VOCABULARY, int(length) - 1)
        parts.append(np.concatenate([[0], body]).astype("<u2"))
    write_bytes_atomic(folder / "tokens.bin", np.concatenate(parts).tobytes())
    write_parquet(folder / "lengths.parquet", pl.DataFrame({"length": world.lengths}))
    stage.commit()
    return TokenPool(folder)


def variant(spec: Any, budget: int, shares: dict[str, float], name: str = "v") -> Variant:
    return Variant(name, spec, budget, shares, {"tokens": "t"})


def order_of(world: Universe, made: Variant, *, seed: int = 0) -> tuple[StreamOrder, list[Part]]:
    parts = made.parts(world)
    return order_stream(world, parts, budget_tokens=made.budget_tokens, seed=seed), parts


def stream_of(world: Universe, tokens: TokenPool, made: Variant, *, seed: int = 0, context: int = 16) -> Stream:
    return made.stream(world, tokens, context=context, seed=seed, vocabulary_size=VOCABULARY)


def all_tokens(stream: Stream) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Positions 0..T, the last target among them."""
    return stream.tokens(0, stream.n_tokens + 1)


def specs_of(kind: type[Kind]) -> st.SearchStrategy[Kind]:
    """Any settings that a kind requires, within the bounds that it states; fractions of at least a thousandth."""
    required = {name: field for name, field in kind.model_fields.items() if field.is_required()}
    values: dict[str, Any] = {
        name: st.from_type(cast("Any", Annotated[field.annotation, *field.metadata])).filter(
            lambda value: not isinstance(value, float) or value >= 1e-3
        )
        for name, field in required.items()
    }
    return st.builds(kind, **values)


def simplest(kind: type[Kind]) -> Kind:
    """One of a kind, always the same: the first that hypothesis draws."""
    first = settings(phases=[Phase.generate], derandomize=True, database=None)
    return find(specs_of(kind), lambda _: True, settings=first)


def most_tokens(world: Universe, spec: Kind, shares: dict[str, float]) -> int:
    """The largest T that the members of every source can fill, from the definition of a composition."""
    return int(
        min(
            tokens_in(world, world.members(one.of), source) * one.epochs / (share * one.fraction)
            for one in spec.composition()
            for source, share in shares.items()
            if one.fraction > 0
        )
    )
