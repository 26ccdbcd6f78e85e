"""The manifest of a variant: what was asked, what each seed's stream really holds. Fits and reports use the measured.

Neither the order nor the documents are stored, for both follow from the recipe and what it was made from: a digest of
each stands in the manifest, and a hundred of these are small beside a pool.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import I64, distinct
from dq.errors import WorkspaceError, listed
from dq.results import Result
from dq.store import read_json, write_bytes_atomic
from dq.variants.digest import order_digest
from dq.variants.documents import Universe
from dq.variants.ingredient import Layer
from dq.variants.near import near_copies
from dq.variants.order import StreamOrder
from dq.variants.parts import Part

WARN_DEVIATION = 0.02  # a part's tokens or unique tokens missing its target by more is a warning
WARN_SHARE = 0.01  # of the budget, by which a source's share may differ from the study's without a word
MAX_POOL_SHARE = 0.5  # past it the seeds of a study draw mostly the same text


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
    pool_tokens: int
    """Of all documents that it may draw from, when what is done to them is done."""


MEASURES = [field.name for field in fields(PartMeasure)]


@dataclass(frozen=True)
class NoiseMeasure:
    """What one kind of noise did, measured.

    Attributes:
        kind: of noise.
        dose: the share that was asked for.
        measured: the share that it is: of the seeds' streams where tokens are rewritten or parts are the noise, else of
            the pool.
        unit: what is counted: ``tokens``, ``letters``, ``words``, ``bytes``.
    """

    kind: str
    dose: float
    measured: float
    unit: str


@dataclass(frozen=True)
class Manifest(Result):
    """A variant at a budget: its recipe, its inputs' fingerprints, and the measured content of each seed's stream.

    ``unique_tokens`` are those of each seed's whole stream: what two parts share counts once. ``digests`` are SHA-256
    of what stands where in each (`dq.variants.digest`), ``members`` of the documents that each part may draw from.
    ``source_shares`` are measured over all seeds;
    ``shares`` are the study's. ``noise`` has the dose of each kind, asked and measured;
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
    unique_tokens: tuple[int, ...]
    digests: tuple[str, ...]
    members: str
    source_shares: Mapping[str, float]
    pool_near_copies: Mapping[str, float]
    noise_fraction: float
    noise: tuple[NoiseMeasure, ...]
    texts: Mapping[str, str]
    made_identical: int
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    trunk: Mapping[str, Any] | None = None
    """What runs are trained on before this, where it is the cooldown alone: a variant's name and recipe, and tokens."""


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write JSON that people can read and that is short: a field a line, and of the parts a measure a line.

    The measures are a table, whose columns are named once: ``pandas.DataFrame(**manifest["parts"])``.
    """
    lines = []
    for name, value in manifest.to_dict().items():
        text = json.dumps(value, ensure_ascii=False)
        if name == "parts":
            rows = ",\n".join(f"      {json.dumps([*row.values()], ensure_ascii=False)}" for row in value)
            text = f'{{\n    "columns": {json.dumps(MEASURES)},\n    "data": [\n{rows}\n    ]\n  }}'
        lines.append(f"  {json.dumps(name)}: {text}")
    write_bytes_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_manifest(path: Path) -> tuple[dict[str, Any], tuple[int, ...]]:
    """What `write_manifest` wrote, as `Manifest.to_dict` has it, and the seeds that were measured.

    Raises:
        WorkspaceError: it is not a manifest.
    """
    stated = read_json(path)
    try:
        names, rows = stated["parts"]["columns"], stated["parts"]["data"]
        parts = [dict(zip(names, row, strict=True)) for row in rows]
        return {**stated, "parts": parts}, tuple(dict.fromkeys(int(part["seed"]) for part in parts))
    except (KeyError, TypeError, ValueError):
        raise WorkspaceError(f"{path}: not a manifest; `dq ablate` writes it anew") from None


class Measured:
    """What is measured of a variant's streams, seed by seed.

    Attributes:
        parts: of every seed, in the order in which seeds were added.
        unique_tokens: of every seed.
        digests: of every seed, of what stands where.
    """

    def __init__(self, universe: Universe, parts: Sequence[Part], *, budget_tokens: int) -> None:
        self.parts: list[PartMeasure] = []
        self.unique_tokens: tuple[int, ...] = ()
        self.digests: tuple[str, ...] = ()
        self._universe, self._parts, self._budget_tokens = universe, parts, budget_tokens
        self._tokens, self._rewritten = 0, 0.0
        self._by_layer: dict[int, tuple[Layer, float, float]] = {}  # of each layer, tokens and those it rewrote

    def add(self, order: StreamOrder, *, seed: int) -> None:
        """Measure the stream of a seed."""
        # The last occurrence is cut at the budget.
        lengths = np.diff(np.minimum(order.starts, self._budget_tokens))
        near = near_copies(self._universe, order.pieces)
        self.unique_tokens = (*self.unique_tokens, int(lengths[order.first].sum()))
        self.digests = (*self.digests, order_digest(self._universe, order, budget_tokens=self._budget_tokens))
        for number, part in enumerate(self._parts):
            mine = order.parts == number
            first = mine & (order.copies == 0)
            tokens, unique = int(lengths[mine].sum()), int(lengths[first].sum())
            self.parts.append(
                PartMeasure(
                    part=part.name,
                    seed=seed,
                    target_tokens=part.tokens,
                    tokens=tokens,
                    target_unique_tokens=part.quota,
                    unique_tokens=unique,
                    documents=len(distinct(order.documents[first])),
                    pieces=int(first.sum()),
                    epochs=tokens / unique if unique else 0.0,
                    near_copy_fraction=int(lengths[mine & near].sum()) / max(1, tokens),
                    pool_tokens=part.unique_available,
                )
            )
            self._count_noise(part, order.documents[mine], order.pieces.lengths[mine])

    def _count_noise(self, part: Part, documents: I64, lengths: I64) -> None:
        """Each document weighed by its tokens in the stream."""
        whole, tokens = part.lengths[documents], int(lengths.sum())
        self._tokens += tokens
        for layer in part.layers:
            rewritten = float((layer.rewritten_tokens(whole - 1) * (lengths / whole)).sum())
            of_bodies = float((lengths * (whole - 1) / whole).sum())
            _, n, done = self._by_layer.get(id(layer), (layer, 0.0, 0.0))
            self._by_layer[id(layer)] = layer, n + of_bodies, done + rewritten
            self._rewritten += rewritten

    @property
    def noise_fraction(self) -> float:
        """The share of all tokens that noise in tokens rewrote."""
        return self._rewritten / max(1, self._tokens)

    def noise(self) -> tuple[NoiseMeasure, ...]:
        """The dose of each layer, and of each kind whose dose is a share of the stream."""
        total = sum(one.tokens for one in self.parts)
        found = []
        for kind in sorted({part.dosed for part in self._parts if part.dosed}):
            parts = [part for part in self._parts if part.dosed == kind]
            given = sum(one.tokens for one in self.parts if one.part in {part.name for part in parts})
            found.append(NoiseMeasure(kind, sum(part.share for part in parts), given / total, "tokens"))
        for part in self._parts:
            for at, layer in enumerate(part.layers):
                if id(layer) in self._by_layer:
                    _, tokens, rewritten = self._by_layer.pop(id(layer))
                    ledger = layer.ledger(self._universe, part.layers, at)
                    changed, of, unit = ledger or (rewritten, tokens, "tokens")
                    found.append(NoiseMeasure(layer.label, layer.asked, changed / of if of else 0.0, unit))
        return tuple(found)

    @property
    def source_shares(self) -> dict[str, float]:
        """Each source's share of all streams."""
        tokens: dict[str, int] = {}
        sources = {part.name: part.source for part in self._parts}
        for one in self.parts:
            tokens[sources[one.part]] = tokens.get(sources[one.part], 0) + one.tokens
        total = sum(tokens.values())
        return {source: count / total for source, count in sorted(tokens.items())}

    def warnings(self) -> list[str]:
        """Parts off their target, and pools that are too small for seeds to differ in their text."""
        found, drawn_from = [], {}
        off: dict[tuple[str, str], tuple[float, str]] = {}  # by part and measure: by how much, and in words
        for m in self.parts:
            for what, got, target in (
                ("tokens", m.tokens, m.target_tokens),
                ("unique tokens", m.unique_tokens, m.target_unique_tokens),
            ):
                if abs(got - target) > max(WARN_DEVIATION * target, off.get((m.part, what), (0.0, ""))[0]):
                    said = f"{m.part} {got / target - 1:+.1%} {what} (seed {m.seed})"
                    off[m.part, what] = abs(got - target), said
            if m.unique_tokens > MAX_POOL_SHARE * m.pool_tokens:
                drawn_from[m.part] = f"{m.part} ({m.unique_tokens:,} of {m.pool_tokens:,})"
        if off:
            worst = [said for _, said in sorted(off.values(), reverse=True)]
            found.append(f"parts off their target by over {WARN_DEVIATION:.0%}, in the worst seed: {listed(worst)}")
        if drawn_from:
            found.append(
                f"more than half of a pool is drawn: {listed(list(drawn_from.values()))}; seeds share most of their "
                "text, and spread less than fresh text would"
            )
        return found

    def warnings_of_shares(self, shares: Mapping[str, float]) -> list[str]:
        """Sources whose share is not the study's."""
        here = self.source_shares
        both = [(name, here.get(name, 0.0), shares.get(name, 0.0)) for name in sorted({*here, *shares})]
        said = [f"{name} {got:.1%} (study {due:.1%})" for name, got, due in both if abs(got - due) > WARN_SHARE]
        return [f"shares of its own: {listed(said)}; a difference is of the mixture too"] if said else []
