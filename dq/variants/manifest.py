"""The manifest of a variant: what was asked, what each seed's stream really holds. Fits and reports use the measured.

The order is a formula and is not stored; `documents.parquet` beside the manifest marks the documents a variant may
draw from, part by part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.config import fingerprint
from dq.store import write_json_atomic, write_parquet
from dq.tokens import TokenPool
from dq.variants.noise import TokenReplacement
from dq.variants.parts import Part, Universe, make_parts
from dq.variants.spec import AnyVariant, TokenNoise
from dq.variants.stream import Stream, StreamOrder, order_stream

__all__ = ["Manifest", "build_manifest", "open_stream", "write_manifest"]

WARN_DEVIATION = 0.02  # a part's tokens or unique tokens missing its target by more is a warning


@dataclass(frozen=True)
class PartMeasure:
    """One part of one seed's stream, measured: tokens include BOS."""

    part: str
    seed: int
    target_tokens: float
    tokens: int
    unique_tokens: int
    target_unique_tokens: float
    documents: int
    epochs: float


@dataclass(frozen=True)
class Manifest:
    """A variant at a budget: its recipe, its inputs' fingerprints, and the measured content of each seed's stream."""

    name: str
    spec: Mapping[str, Any]
    budget_tokens: int
    context: int
    seeds: tuple[int, ...]
    shares: Mapping[str, float]
    inputs: Mapping[str, str]
    fingerprint: str
    parts: tuple[PartMeasure, ...]
    replaced_fraction: float | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in manifest.json."""
        return asdict(self)


def build_manifest(
    name: str,
    spec: AnyVariant,
    universe: Universe,
    *,
    budget_tokens: int,
    context: int,
    seeds: Sequence[int],
    shares: Mapping[str, float],
    inputs: Mapping[str, str],
) -> tuple[Manifest, list[Part]]:
    """Measure a variant for every seed.

    Raises:
        BudgetError: a part's pool is too small.
    """
    parts = make_parts(universe, spec, budget_tokens=budget_tokens, shares=shares, name=name)
    measures = []
    for seed in seeds:
        order = order_stream(universe, parts, budget_tokens=budget_tokens, seed=seed)
        measures += _measure(order, parts, budget_tokens=budget_tokens, seed=seed)
    identity = [name, spec, budget_tokens, context, sorted(seeds), dict(shares), dict(inputs)]
    manifest = Manifest(
        name=name,
        spec=spec.model_dump(mode="json"),
        budget_tokens=budget_tokens,
        context=context,
        seeds=tuple(seeds),
        shares=dict(shares),
        inputs=dict(inputs),
        fingerprint=fingerprint(identity),
        parts=tuple(measures),
        replaced_fraction=spec.dose if isinstance(spec, TokenNoise) else None,
        warnings=tuple(_warnings(measures)),
    )
    return manifest, parts


def open_stream(
    spec: AnyVariant,
    universe: Universe,
    parts: Sequence[Part],
    pool: TokenPool,
    *,
    budget_tokens: int,
    context: int,
    seed: int,
    vocab_size: int,
) -> Stream:
    """The token stream of a variant for one seed."""
    order = order_stream(universe, parts, budget_tokens=budget_tokens, seed=seed)
    noise = None
    if isinstance(spec, TokenNoise):
        noise = TokenReplacement(universe, dose=spec.dose, vocab_size=vocab_size, seed=seed)
    return Stream(order, pool, budget_tokens=budget_tokens, context=context, noise=noise)


def write_manifest(folder: Path, manifest: Manifest, parts: Sequence[Part], *, n_documents: int) -> None:
    """Write ``manifest.json`` and the documents each part draws from."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {}
    for part in parts:
        mark = np.zeros(n_documents, bool)
        mark[part.documents] = True
        columns[part.name] = mark
    write_parquet(folder / "documents.parquet", pl.DataFrame(columns))
    write_json_atomic(folder / "manifest.json", manifest.to_dict())


def _measure(order: StreamOrder, parts: Sequence[Part], *, budget_tokens: int, seed: int) -> list[PartMeasure]:
    # The last occurrence is cut at the budget.
    lengths = np.diff(np.minimum(order.starts, budget_tokens))
    measures = []
    for number, part in enumerate(parts):
        mine = order.parts == number
        tokens = int(lengths[mine].sum())
        unique = int(lengths[mine & (order.copies == 0)].sum())
        measures.append(
            PartMeasure(
                part=part.name,
                seed=seed,
                target_tokens=part.tokens,
                tokens=tokens,
                unique_tokens=unique,
                target_unique_tokens=part.quota,
                documents=int((mine & (order.copies == 0)).sum()),
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
