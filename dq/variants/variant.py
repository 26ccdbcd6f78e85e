"""A variant at a budget: its parts, its streams, and the manifest that proves what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dq.config import fingerprint
from dq.stages.tokens import TokenPool
from dq.variants.annealed import DRAWN_APART, AnnealedStream, Trunk
from dq.variants.config import StreamConfig
from dq.variants.digest import members_digest
from dq.variants.documents import Universe
from dq.variants.ingredient import rewriter_of
from dq.variants.kind import Kind
from dq.variants.manifest import Manifest, Measured, write_manifest
from dq.variants.near import pool_near_copies
from dq.variants.order import Drawing, StreamOrder, order_stream
from dq.variants.parts import Part, make_parts
from dq.variants.row import PartText, Row
from dq.variants.stream import Stream

STREAM_VERSION = {"piece": 3, "document": 2}
"""Raised when the same recipe gives another stream: runs of the old one are not mixed in. By unit."""


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
        recipe += [self.spec.versions] if self.spec.versions else []
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
        parts, drawn_with = self.parts(universe), self._drawn_with(seed)
        texts: dict[tuple[int, ...], PartText] = {}
        for part in parts:
            if (key := tuple(map(id, part.layers))) not in texts:
                rewriter = rewriter_of(part.layers, universe, vocabulary_size=vocabulary_size, seed=drawn_with)
                texts[key] = PartText(universe.pool(part.texts) if part.texts else pool, rewriter)
        row = Row(self._order(universe, parts, seed), [texts[tuple(map(id, part.layers))] for part in parts])
        mix_seed = None if self.piece_tokens is None else drawn_with
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
        measured = Measured(universe, parts, budget_tokens=self.budget_tokens)
        for seed in seeds:
            measured.add(self._order(universe, parts, seed), seed=seed)
        return Manifest(
            name=self.name,
            spec=self.spec.model_dump(mode="json"),
            budget_tokens=self.budget_tokens,
            context=self.context,
            stream=self.config.model_dump(mode="json"),
            shares=dict(self.shares),
            inputs=dict(self.inputs),
            parts=tuple(measured.parts),
            unique_tokens=measured.unique_tokens,
            digests=measured.digests,
            members=members_digest(universe, parts),
            source_shares=measured.source_shares,
            pool_near_copies=pool_near_copies(universe, parts, piece_tokens=self.piece_tokens),
            noise_fraction=measured.noise_fraction,
            noise=measured.noise(),
            texts=dict(universe.texts),
            made_identical=universe.made_identical,
            left_out=universe.left_out,
            warnings=(*measured.warnings(), *measured.warnings_of_shares(self.shares)),
            trunk=None if self.trunk is None else self.trunk.to_dict(),
        )

    def _order(self, universe: Universe, parts: Sequence[Part], seed: int) -> StreamOrder:
        drawing = Drawing(self._drawn_with(seed), self.piece_tokens, self.config.draw)
        return order_stream(universe, parts, drawing, budget_tokens=self.budget_tokens)

    def write_manifest(self, folder: Path, universe: Universe, seeds: Sequence[int]) -> Manifest:
        """Write ``manifest.json``."""
        manifest = self.manifest(universe, seeds)
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(folder / "manifest.json", manifest)
        return manifest
