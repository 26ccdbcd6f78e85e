"""Small universes and token pools on disk: the variants' input without the stages before it."""

from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import polars as pl
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from dq.stages.tokens import RewrittenTokens, TokenPool
from dq.store import Stage, write_bytes_atomic, write_parquet
from dq.text.hashing import mix64
from dq.variants import (
    ExactDuplicates,
    Kind,
    Mixed,
    NearDuplicates,
    OffDomain,
    Part,
    Raw,
    Repeated,
    Stream,
    StreamConfig,
    TokenNoise,
    Universe,
    Variant,
)
from dq.variants.order import StreamOrder
from dq.variants.parts import shares_of

VOCABULARY = 500
MANY_EPOCHS = 12
CONTEXT = 16


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
    world = Universe(
        lengths=lengths.astype(np.int64),
        sources=np.where(web, "web", "news").astype(object),
        content_keys=keys,
        occurrences=occurrences,
        available=available,
        kept=available & judged & ~removed,
        dropped=available & ~judged,
    )
    return dataclasses.replace(world, find_pool=lambda texts: Rewritten(world, texts))


def adversarial(shape: str, seed: int = 0) -> Universe:
    """Lengths that an order of documents does badly on: some 20,000 tokens in two sources, nearly all of them kept.

    ``giant``: one document has 40 % of its source. ``speck``: a source has 0.1 % of the tokens. ``dust``: 3,000
    documents of 1 to 4 tokens beside some long ones.
    """
    rng = np.random.default_rng([seed, len(shape)])
    lengths = {"news": rng.integers(2, 120, 150), "web": rng.integers(2, 400, 60)}
    if shape == "giant":
        lengths["web"][3] = lengths["web"].sum() * 2 // 3
    elif shape == "speck":
        lengths["web"] = np.array([9, 5, 2])
        lengths["news"] = rng.integers(2, 120, 270)
    elif shape == "dust":
        lengths["news"] = rng.integers(1, 5, 3000)
    n = sum(len(one) for one in lengths.values())
    kept = rng.random(n) < 0.9
    kept[[3, len(lengths["news"]) + 1, len(lengths["news"]) + (0 if shape == "speck" else 3)]] = True
    return Universe(
        lengths=np.concatenate(list(lengths.values())).astype(np.int64),
        sources=np.repeat(np.array(list(lengths), object), [len(one) for one in lengths.values()]),
        content_keys=rng.integers(0, 2**64, n, dtype=np.uint64),
        occurrences=np.zeros(n, np.uint32),
        available=np.ones(n, np.bool_),
        kept=kept,
        dropped=~kept,
    )


def any_world(shape: str, seed: int) -> Universe:
    """One of the adversarial worlds, or a usual one."""
    return universe(seed, 120) if shape == "usual" else adversarial(shape, seed)


SHAPES = st.sampled_from(["usual", "giant", "speck", "dust"])


def clustered(world: Universe, size: int, *, members: float = 0.4, seed: int = 0) -> Universe:
    """The same documents, some of which now have near-copies: clusters of about ``size``, over sources alike."""
    rng = np.random.default_rng([seed, 7])
    numbers = np.flatnonzero(world.available & (rng.random(len(world.lengths)) < members))
    stand_ins = np.arange(len(world.lengths))
    for cluster in np.array_split(rng.permutation(numbers), max(1, len(numbers) // size)):
        stand_ins[cluster] = cluster[0]
    return dataclasses.replace(world, find_stand_ins=lambda: stand_ins)


class Rewritten(RewrittenTokens):
    """The pool of a world's documents when their text is rewritten: other tokens and lengths, by their content."""

    def __init__(self, world: Universe, texts: tuple[Any, ...]) -> None:
        keys, version = world.content_keys, zlib.crc32("|".join(one.label for one in texts).encode())
        self.lengths = world.lengths + (mix64(keys, version) % 5).astype(np.int64)
        self.offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])
        self.ledger = ({"changed": 1, "of": 4},) * len(texts)
        places = np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], self.lengths)
        drawn = mix64(np.repeat(keys, self.lengths), version, places) % (VOCABULARY - 1)
        self._tokens = np.where(places == 0, 0, drawn + 1).astype("<u2")


def tokens_in(world: Universe, members: np.ndarray[Any, Any], source: str) -> int:
    return int(world.lengths[members & (world.sources == source)].sum())


def fitting_budget(world: Universe, shares: dict[str, float], members: np.ndarray[Any, Any]) -> int:
    """The largest T that every source's members can fill once."""
    return int(min(tokens_in(world, members, source) / share for source, share in shares.items()))


def permuted(world: Universe, order: np.ndarray[Any, Any]) -> Universe:
    """The same documents in another order, or some of them that have no near-copies."""
    arrays = {one.name: getattr(world, one.name) for one in dataclasses.fields(world)}
    moved = {name: values[order] for name, values in arrays.items() if isinstance(values, np.ndarray)}
    number = np.argsort(order)
    there = dataclasses.replace(world, **moved, find_stand_ins=lambda: number[world.stand_ins[order]])
    return dataclasses.replace(there, find_pool=lambda texts: Rewritten(there, texts))


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


def variant(
    spec: Any, budget: int, shares: dict[str, float], *, context: int = CONTEXT, unit: Any = "piece", draw: Any = None
) -> Variant:
    config = StreamConfig(unit=unit, draw=draw or "independent")
    return Variant("v", spec, budget, shares, {"tokens": "t"}, context, config)


def order_of(world: Universe, made: Variant, *, seed: int = 0) -> tuple[StreamOrder, list[Part]]:
    return made.order(world, seed), made.parts(world)


def stream_of(world: Universe, tokens: TokenPool, made: Variant, *, seed: int = 0) -> Stream:
    return made.stream(world, tokens, seed=seed, vocabulary_size=VOCABULARY)


def all_tokens(stream: Stream) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Positions 0..T of the row, the last target among them."""
    return stream.row.tokens(0, stream.n_tokens + 1)


CHOICES: dict[type[Kind], st.SearchStrategy[Kind]] = {
    Repeated: st.floats(1.5, 40).map(lambda epochs: Repeated(epochs=epochs))
    | st.integers(2, 40).map(lambda epochs: Repeated(epochs=epochs))
    | st.integers(50, 2000).map(lambda tokens: Repeated(pool_tokens=tokens)),
    Mixed: st.floats(0.1, 0.9).map(lambda web: Mixed(weights={"news": 1 - web, "web": web}))
    | st.floats(0.1, 0.9).map(
        lambda raw: Mixed(weights={"a": raw, "b": 1 - raw}, of={"a": Raw(), "b": TokenNoise(dose=0.5)})
    ),
    OffDomain: st.floats(0.2, 0.9).map(lambda dose: OffDomain(sources=("web",), dose=dose)),
    NearDuplicates: st.floats(0.1, 0.5).map(lambda dose: NearDuplicates(dose=dose)),
    ExactDuplicates: st.tuples(st.floats(0.1, 0.5), st.integers(1, 5)).map(
        lambda both: ExactDuplicates(dose=both[0], copies=both[1])
    ),
}
"""Of kinds that take one of several settings: the bounds of a field say nothing of that."""


def specs_of(kind: type[Kind]) -> st.SearchStrategy[Kind]:
    """Any settings that a kind requires, within the bounds that it states; fractions of at least a thousandth."""
    if kind in CHOICES:
        return CHOICES[kind]
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
    """The largest T that the members of every source can fill, from the definition of a composition.

    Where a pool is fixed and fits, any T does: then a dozen of it.
    """
    limits = [MANY_EPOCHS * tokens for one in spec.composition() if (tokens := one.pool_tokens) is not None]
    for one in spec.composition():
        lengths = world.lengths_after(one.layers)
        for source, share in shares_of(one, world, shares).items():
            available = int(lengths[world.members(one.of) & (world.sources == source)].sum())
            if one.fraction > 0 and (one.pool_tokens is None or available < one.pool_tokens * share):
                limits.append(available * one.epochs / (share * one.fraction))
    return int(min(limits))
