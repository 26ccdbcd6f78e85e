"""The documents that variants choose from: how long they are, who they are, and what the stages before said of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dq.arrays import I64, U64
from dq.text import content_keys

if TYPE_CHECKING:
    from dq.stages.tokens import TokenPool
    from dq.variants.ingredient import Layer

CLUSTER_SIZE = "cluster_size"
"""A value of every document that is no signal: how many documents the kept one of its cluster stands for."""

Members: TypeAlias = Literal["all", "kept", "dropped"]
"""Documents that a part draws from: all that are available, those that are kept, those that a rule dropped."""


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
        texts: the text versions that were judged, deduplicated and trained on, by these names.
        made_identical: how many documents cleaning made equal to another one, after deduplication had looked.
        left_out: sources of which nothing is left after holding out and excluding; no variant has them.
        bos_id: the token that begins every document; noise draws any other.
        find_stand_ins: finds `stand_ins` when they are asked for; without it no document has a near-copy.
        find_values: finds a signal of all documents by its name, or `cluster_size`.
        find_pool: finds the token pool of documents whose text was rewritten.
    """

    lengths: np.ndarray[Any, np.dtype[np.int64]]
    sources: np.ndarray[Any, np.dtype[np.object_]]
    content_keys: np.ndarray[Any, np.dtype[np.uint64]]
    occurrences: np.ndarray[Any, np.dtype[np.uint32]]
    available: np.ndarray[Any, np.dtype[np.bool_]]
    kept: np.ndarray[Any, np.dtype[np.bool_]]
    dropped: np.ndarray[Any, np.dtype[np.bool_]]
    texts: Mapping[str, str] = field(default_factory=dict)
    made_identical: int = 0
    left_out: tuple[str, ...] = ()
    bos_id: int = 0
    find_stand_ins: Callable[[], I64] | None = None
    find_values: Callable[[str], np.ndarray[Any, Any]] | None = None
    find_pool: Callable[[tuple[Layer, ...]], TokenPool] | None = None

    def members(self, of: Members) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which documents these are: bool."""
        return {"all": self.available, "kept": self.kept, "dropped": self.dropped}[of]

    def values(self, name: str) -> np.ndarray[Any, Any]:
        """A signal of every document by its name, or `cluster_size`."""
        assert self.find_values is not None, "open_universe gives one"
        return self.find_values(name)

    def pool(self, texts: tuple[Layer, ...]) -> TokenPool:
        """The tokens of every document whose text these layers rewrote."""
        assert self.find_pool is not None, "open_universe gives one"
        return self.find_pool(texts)

    def lengths_after(self, layers: tuple[Layer, ...]) -> I64:
        """Tokens of every document, with BOS, when these layers are done: int64."""
        texts = tuple(layer for layer in layers if layer.cleaner is not None)
        lengths = self.pool(texts).lengths if texts else self.lengths
        for layer in layers:
            lengths = layer.left(lengths - 1) + 1
        return lengths

    def tokens_by_source(self, of: Members) -> dict[str, int]:
        """How many tokens the members of each available source have, by name."""
        lengths = np.where(self.members(of), self.lengths, 0)
        names = sorted(set(self.sources[self.available]) - set(self.left_out))
        return {str(name): int(lengths[self.sources == name].sum()) for name in names}

    def raw_shares(self) -> dict[str, float]:
        """Each source's share of the available tokens."""
        tokens = self.tokens_by_source("all")
        total = sum(tokens.values())
        return {source: count / total for source, count in tokens.items()}

    def identity(self, document: int) -> tuple[np.uint64, np.uint64, np.uint32]:
        """What random draws hash of a document: its content, its source, its number among identical ones."""
        return (
            self.content_keys[document],
            self.source_keys[document],
            self.occurrences[document],
        )

    @functools.cached_property
    def source_keys(self) -> U64:
        """The hash of each document's source: uint64."""
        keys, names = np.zeros(len(self.sources), np.uint64), sorted(set(self.sources))
        for name, key in zip(names, content_keys(names), strict=True):
            keys[self.sources == name] = key
        return keys

    @functools.cached_property
    def stand_ins(self) -> I64:
        """For each document the one that stands for it and its near-copies, itself where it has none: int64."""
        return np.arange(len(self.lengths)) if self.find_stand_ins is None else self.find_stand_ins()
