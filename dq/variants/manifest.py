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
from dq.variants.documents import Universe
from dq.variants.kind import Kind
from dq.variants.parts import Part, make_parts
from dq.variants.stream import STREAM_VERSION, Stream, StreamOrder, order_stream

WARN_DEVIATION = 0.02  # a part's tokens or unique tokens missing its target by more is a warning


@dataclass(frozen=True)
class PartMeasure:
    """One part of one seed's stream, measured: tokens include BOS."""

    part: str
    seed: int
    target_tokens: float
    tokens: int
    target_unique_tokens: float
    unique_tokens: int
    documents: int
    epochs: float


@dataclass(frozen=True)
class Manifest(Result):
    """A variant at a budget: its recipe, its inputs' fingerprints, and the measured content of each seed's stream.

    ``noise_fraction`` is the share of the tokens, BOS and all, that noise rewrote, over the whole documents of every
    seed's stream: 0 where the kind has no noise. ``texts`` are the text versions that were judged, deduplicated and
    trained on, and ``made_identical`` counts the documents that cleaning made equal to another one of these.
    ``left_out`` names the sources of which nothing is left after holding out and excluding.
    """

    name: str
    spec: Mapping[str, Any]
    budget_tokens: int
    shares: Mapping[str, float]
    inputs: Mapping[str, str]
    parts: tuple[PartMeasure, ...]
    noise_fraction: float
    texts: Mapping[str, str]
    made_identical: int
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Variant:
    """A variant at a budget, ready to be measured and streamed.

    Attributes:
        shares: share of the budget per source; sums to 1.
        inputs: fingerprints of what it is made from.
    """

    name: str
    spec: Kind
    budget_tokens: int
    shares: Mapping[str, float]
    inputs: Mapping[str, str]

    def stream_fingerprint(self, seed: int) -> str:
        """Identity of one seed's stream: the recipe and its inputs, not the variant's name or the other seeds."""
        return fingerprint([STREAM_VERSION, self.spec, self.budget_tokens, dict(self.shares), dict(self.inputs), seed])

    def parts(self, universe: Universe) -> list[Part]:
        """Its parts; raises BudgetError where one is too small."""
        return make_parts(universe, self.spec, budget_tokens=self.budget_tokens, shares=self.shares, name=self.name)

    def stream(self, universe: Universe, pool: TokenPool, *, context: int, seed: int, vocabulary_size: int) -> Stream:
        """The tokens of one seed."""
        order = order_stream(universe, self.parts(universe), budget_tokens=self.budget_tokens, seed=seed)
        noise = self.spec.noise(universe, vocabulary_size=vocabulary_size, seed=seed)
        return Stream(order, pool, budget_tokens=self.budget_tokens, context=context, noise=noise)

    def manifest(self, universe: Universe, seeds: Sequence[int]) -> Manifest:
        """Measure every seed's stream.

        Raises:
            BudgetError: a part's pool is too small.
        """
        parts = self.parts(universe)
        measures: list[PartMeasure] = []
        seen: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        for seed in seeds:
            order = order_stream(universe, parts, budget_tokens=self.budget_tokens, seed=seed)
            measures += _measure(order, parts, budget_tokens=self.budget_tokens, seed=seed)
            seen.append(universe.lengths[order.documents])
        lengths = np.concatenate(seen)
        return Manifest(
            name=self.name,
            spec=self.spec.model_dump(mode="json"),
            budget_tokens=self.budget_tokens,
            shares=dict(self.shares),
            inputs=dict(self.inputs),
            parts=tuple(measures),
            noise_fraction=float(self.spec.rewritten_tokens(lengths - 1).sum() / lengths.sum()),
            texts=dict(universe.texts),
            made_identical=universe.made_identical,
            left_out=universe.left_out,
            warnings=tuple(_warnings(measures)),
        )

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


def _measure(order: StreamOrder, parts: Sequence[Part], *, budget_tokens: int, seed: int) -> list[PartMeasure]:
    # The last occurrence is cut at the budget.
    lengths = np.diff(np.minimum(order.starts, budget_tokens))
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
                documents=int(first.sum()),
                epochs=tokens / unique if unique else 0.0,
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
