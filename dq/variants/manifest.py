"""The manifest of a variant: what was asked, what each seed's stream really holds. Fits and reports use the measured.

The order is a formula and is not stored; `documents.parquet` beside the manifest marks the documents a variant may
draw from, part by part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.config import fingerprint
from dq.results import Result
from dq.stages.tokens import TokenPool
from dq.store import write_json_atomic, write_parquet
from dq.variants.annealed import DRAWN_APART, AnnealedStream, Trunk
from dq.variants.config import StreamConfig
from dq.variants.documents import Universe
from dq.variants.kind import Kind
from dq.variants.near import near_copies, pool_near_copies
from dq.variants.order import Drawing, StreamOrder, order_stream
from dq.variants.parts import Part, make_parts
from dq.variants.row import Row
from dq.variants.stream import Stream

STREAM_VERSION = {"piece": 3, "document": 2}
"""Raised when the same recipe gives another stream: runs of the old one are not mixed in. By unit."""
WARN_DEVIATION = 0.02  # a part's tokens or unique tokens missing its target by more is a warning


@dataclass(frozen=True)
class PartMeasure:
    """One part of one seed's stream, measured: tokens include BOS.

    ``documents`` are those of which the stream has a piece. ``near_copy_fraction`` is the share of the part's tokens of
    which the stream holds a near-copy: the piece at the same place of a document that deduplication of all documents
    would not keep beside theirs.
    """

    part: str
    seed: int
    target_tokens: float
    tokens: int
    target_unique_tokens: float
    unique_tokens: int
    documents: int
    pieces: int
    epochs: float
    near_copy_fraction: float


@dataclass(frozen=True)
class Manifest(Result):
    """A variant at a budget: its recipe, its inputs' fingerprints, and the measured content of each seed's stream.

    ``noise_fraction`` is the share of the tokens, BOS and all, that noise rewrote in the documents of every seed's
    stream, each weighed by its tokens there: 0 where the kind has no noise. ``texts`` are the text versions that were
    judged, deduplicated and trained on, and ``made_identical`` counts the documents that cleaning made equal to another
    one of these. ``left_out`` names the sources of which nothing is left after holding out and excluding.
    ``pool_near_copies`` is, for each part, the share of its tokens that have a near-copy in all that the variant may
    draw from: where it is far above the ``near_copy_fraction`` of the streams, they say nothing of deduplication.
    """

    name: str
    spec: Mapping[str, Any]
    budget_tokens: int
    context: int
    stream: Mapping[str, Any]
    shares: Mapping[str, float]
    inputs: Mapping[str, str]
    parts: tuple[PartMeasure, ...]
    pool_near_copies: Mapping[str, float]
    noise_fraction: float
    texts: Mapping[str, str]
    made_identical: int
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    trunk: Mapping[str, Any] | None = None
    """What runs are trained on before this, where it is the cooldown alone: a variant's name and recipe, and tokens."""


@dataclass(frozen=True)
class Variant:
    """A variant at a budget, ready to be measured and streamed.

    Attributes:
        shares: share of the budget per source; sums to 1.
        inputs: fingerprints of what it is made from.
        context: tokens a window predicts, and the most that a piece has.
        trunk: what runs are trained on before it, where it is the cooldown alone.
    """

    name: str
    spec: Kind
    budget_tokens: int
    shares: Mapping[str, float]
    inputs: Mapping[str, str]
    context: int
    config: StreamConfig
    trunk: Trunk | None = None

    @property
    def piece_tokens(self) -> int | None:
        """The most tokens of what is drawn; None where documents are drawn whole."""
        return self.context if self.config.unit == "piece" else None

    def stream_fingerprint(self, seed: int) -> str:
        """Identity of one seed's stream: the recipe and its inputs, not the variant's name or the other seeds.

        What draws near-copies together has the duplicates among its inputs, and whole documents know no context.
        """
        recipe = [self.spec, self.budget_tokens, dict(self.shares), dict(self.inputs), seed]
        cut = [] if self.piece_tokens is None else [self.piece_tokens]
        behind = [] if self.trunk is None else [self.trunk.variant.stream_fingerprint(seed), self.trunk.tokens]
        return fingerprint([STREAM_VERSION[self.config.unit], *recipe, *cut, *behind])

    def parts(self, universe: Universe) -> list[Part]:
        """Its parts; raises BudgetError where one is too small, or one of the trunk's."""
        if self.trunk is not None:
            self.trunk.variant.parts(universe)
        return make_parts(universe, self.spec, budget_tokens=self.budget_tokens, shares=self.shares, name=self.name)

    def order(self, universe: Universe, seed: int) -> StreamOrder:
        """Which piece stands where, for one seed; raises as `parts` does."""
        return self._order(universe, self.parts(universe), seed)

    def stream(self, universe: Universe, pool: TokenPool, *, seed: int, vocabulary_size: int) -> Stream:
        """The tokens of one seed, without those of a trunk."""
        drawn_with = self._drawn_with(seed)
        noise = self.spec.noise(universe, vocabulary_size=vocabulary_size, seed=drawn_with)
        mix_seed = None if self.piece_tokens is None else drawn_with
        row = Row(self.order(universe, seed), pool, noise)
        return Stream(row, budget_tokens=self.budget_tokens, context=self.context, mix_seed=mix_seed)

    def whole_stream(
        self, universe: Universe, pool: TokenPool, *, seed: int, vocabulary_size: int
    ) -> Stream | AnnealedStream:
        """What a run of one seed is trained on from its first step to its last."""
        stream = self.stream(universe, pool, seed=seed, vocabulary_size=vocabulary_size)
        if self.trunk is None:
            return stream
        trunk = self.trunk.variant.stream(universe, pool, seed=seed, vocabulary_size=vocabulary_size)
        return AnnealedStream(trunk, stream, trunk_tokens=self.trunk.tokens)

    def _drawn_with(self, seed: int) -> int:
        return seed if self.trunk is None else seed + DRAWN_APART

    def manifest(self, universe: Universe, seeds: Sequence[int]) -> Manifest:
        """Measure every seed's stream.

        Raises:
            BudgetError: a part's pool is too small.
        """
        parts = self.parts(universe)
        measures: list[PartMeasure] = []
        rewritten, tokens = 0.0, 0
        for seed in seeds:
            order = self._order(universe, parts, seed)
            measures += _measure(universe, order, parts, budget_tokens=self.budget_tokens, seed=seed)
            whole = universe.lengths[order.documents]
            rewritten += float((self.spec.rewritten_tokens(whole - 1) * (order.pieces.lengths / whole)).sum())
            tokens += int(order.starts[-1])
        return Manifest(
            name=self.name,
            spec=self.spec.model_dump(mode="json"),
            budget_tokens=self.budget_tokens,
            context=self.context,
            stream=self.config.model_dump(mode="json"),
            shares=dict(self.shares),
            inputs=dict(self.inputs),
            parts=tuple(measures),
            pool_near_copies=pool_near_copies(universe, parts, piece_tokens=self.piece_tokens),
            noise_fraction=rewritten / tokens,
            texts=dict(universe.texts),
            made_identical=universe.made_identical,
            left_out=universe.left_out,
            warnings=tuple(_warnings(measures)),
            trunk=None if self.trunk is None else self.trunk.to_dict(),
        )

    def _order(self, universe: Universe, parts: Sequence[Part], seed: int) -> StreamOrder:
        drawing = Drawing(self._drawn_with(seed), self.piece_tokens, self.config.draw)
        return order_stream(universe, parts, drawing, budget_tokens=self.budget_tokens)

    def write_manifest(self, folder: Path, universe: Universe, seeds: Sequence[int]) -> Manifest:
        """Write ``manifest.json`` and the documents that each part draws from."""
        manifest = self.manifest(universe, seeds)
        folder.mkdir(parents=True, exist_ok=True)
        columns: dict[str, np.ndarray[Any, np.dtype[np.bool_]]] = {}
        for part in self.parts(universe):
            columns[part.name] = np.zeros(len(universe.lengths), bool)
            columns[part.name][part.documents] = True
        write_parquet(folder / "documents.parquet", pl.DataFrame(columns))
        write_json_atomic(folder / "manifest.json", manifest.to_dict())
        return manifest


def _measure(
    universe: Universe, order: StreamOrder, parts: Sequence[Part], *, budget_tokens: int, seed: int
) -> list[PartMeasure]:
    # The last occurrence is cut at the budget.
    lengths = np.diff(np.minimum(order.starts, budget_tokens))
    near = near_copies(universe, order.pieces)
    measures = []
    for number, part in enumerate(parts):
        mine = order.parts == number
        first = mine & (order.copies == 0)
        tokens, unique = int(lengths[mine].sum()), int(lengths[first].sum())
        measures.append(
            PartMeasure(
                part=part.name,
                seed=seed,
                target_tokens=part.tokens,
                tokens=tokens,
                target_unique_tokens=part.quota,
                unique_tokens=unique,
                documents=len(np.unique(order.documents[first])),
                pieces=int(first.sum()),
                epochs=tokens / unique if unique else 0.0,
                near_copy_fraction=int(lengths[mine & near].sum()) / max(1, tokens),
            )
        )
    return measures


def _warnings(measures: Sequence[PartMeasure]) -> list[str]:
    found = []
    for m in measures:
        for what, got, target in (
            ("tokens", m.tokens, m.target_tokens),
            ("unique tokens", m.unique_tokens, m.target_unique_tokens),
        ):
            if abs(got - target) > WARN_DEVIATION * target:
                found.append(f"seed {m.seed}: {m.part} has {got:,} {what}, {got / target - 1:+.1%} from its target")
    return found
