"""Audit of a deduplication: what it missed, and that nothing was removed without proof.

A sample of documents of each source is compared with *all* documents through an inverted index of shingles: no
signatures, no bands, so the true neighbours are known. A true pair is resolved when not both of its documents were
kept. Pairs of one sampled document stand or fall together, so the interval (Wilson, 95 %) counts sampled documents,
not pairs: wide rather than wrong. Beside it stands what theory promises: the mean probability that a pair of that
similarity is verified, which resolved pairs should exceed, since a pair is also resolved through a third document.

Precision is 1 by construction; here each sampled removal is proven from the two texts, by plain Python that shares
nothing with the kernels (`dq.dedup.plain`): their similarity, and of an exact copy that the canonical texts are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from dq.arrays import Array, offsets_of
from dq.dedup import plain
from dq.dedup.duplicates import Duplicates
from dq.dedup.inverted import InvertedIndex
from dq.dedup.selection import Selection
from dq.dedup.shards import Shard, load_shard
from dq.dedup.shingles import Shingles, shingle
from dq.executors import require_live_polars
from dq.results import Result

ALL = "all"
NORMAL_95 = 1.959963984540054
SIMILARITY_STEP = 0.05
CURVE_POINTS = 201


@dataclass(frozen=True)
class Audit(Result):
    """What a sample says about a deduplication."""

    FRAME: ClassVar = "recall"

    recall: pl.DataFrame
    """DataFrame source, similarity_from, similarity_to, sampled_documents (with true neighbours there), true_pairs,
    resolved_pairs, recall, low, high (95 % interval), theoretical_recall. Source ``all`` pools the sources by their
    sizes; similarity_from = the threshold and similarity_to = 1 is the row over all bands."""
    sampled_documents: int
    """Documents compared with the whole corpus."""
    removals_checked: int
    """Removed documents in the sample whose texts were compared with those of the kept ones."""
    exact_checked: int
    """Those of them that are called exact copies."""
    unproven_removals: pl.DataFrame
    """DataFrame document, kept_index, exact, similarity, true_exact, true_similarity of those that did not hold:
    empty."""
    missed_pairs: pl.DataFrame
    """DataFrame left, right, similarity of true pairs both kept, the most similar first."""


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion; (0, 1) without trials."""
    if trials <= 0:
        return 0.0, 1.0
    share, z2 = successes / trials, NORMAL_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def audit_duplicates(
    duplicates: Duplicates,
    selection: Selection,
    shards: Sequence[Shard],
    *,
    sources: pl.Series | None = None,
    per_source: int = 500,
    seed: int = 0,
) -> Audit:
    """Compare up to ``per_source`` eligible documents of each source with all eligible documents.

    Args:
        duplicates: what was found.
        selection: what was kept.
        shards: the texts, as they were deduplicated; read three times.
        sources: the source of each document; one source without it.
        per_source: documents sampled from each source.
        seed: of the sample.
    """
    require_live_polars()
    if sources is None:
        sources = pl.repeat(ALL, duplicates.documents, eager=True)
    eligible = selection.kept_index >= 0
    sample, weights = _sample(sources, eligible, per_source=per_source, seed=seed)
    pairs = _true_pairs(duplicates, shards, sample, eligible=eligible)
    kept = selection.kept
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    grid = np.linspace(duplicates.config.threshold, 1.0, CURVE_POINTS)
    pairs = pairs.with_columns(
        source=sources.gather(left),
        weight=weights[left],
        resolved=~(kept[left] & kept[right]),
        theoretical=np.interp(pairs["similarity"].to_numpy(), grid, [duplicates.bands.recall(value) for value in grid]),
    )
    removals = _check_removals(duplicates, selection, sample, shards=shards)
    unproven = removals.filter(
        (pl.col("similarity") != pl.col("true_similarity")) | (pl.col("exact") != pl.col("true_exact"))
    )
    missed = pairs.filter(~pl.col("resolved")).sort("similarity", descending=True).select("left", "right", "similarity")
    table, exact = _table(pairs, duplicates.config.threshold), int(removals["exact"].sum())
    return Audit(table, len(sample), removals.height, exact, unproven, missed)


def _sample(sources: pl.Series, eligible: Array, *, per_source: int, seed: int) -> tuple[Array, Array]:
    """Document numbers, ascending, and each document's weight: how many of its source it stands for."""
    generator = np.random.default_rng(seed)
    weights = np.zeros(len(sources))
    chosen = []
    rows = pl.DataFrame({"source": sources, "row": np.arange(len(sources))}).filter(
        pl.Series(eligible, dtype=pl.Boolean)
    )
    for _, group in sorted(rows.group_by("source", maintain_order=True), key=lambda item: str(item[0])):
        members = group["row"].to_numpy()
        size = min(per_source, len(members))
        picked = generator.choice(members, size, replace=False)
        weights[picked] = len(members) / size
        chosen.append(picked)
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen])), weights


def _true_pairs(duplicates: Duplicates, shards: Sequence[Shard], sample: Array, *, eligible: Array) -> pl.DataFrame:
    """Every pair (left: sampled, right: any other eligible document) at or above the threshold."""
    config, threshold = duplicates.config.shingles, duplicates.config.threshold
    parts: list[Shingles] = []
    begin = 0
    for shard in shards:
        batch = load_shard(shard)
        here = sample[(sample >= begin) & (sample < begin + len(batch))] - begin
        parts.append(shingle(batch, config, documents=here))
        begin += len(batch)
    index = InvertedIndex(_joined(parts))
    frames = []
    begin = 0
    for shard in shards:
        batch = load_shard(shard)
        frames.append(index.neighbours(shingle(batch, config), threshold).with_columns(pl.col("document") + begin))
        begin += len(batch)
    nothing = pl.DataFrame(schema=dict.fromkeys(("document", "row", "intersection", "union"), pl.Int64))
    found = pl.concat([nothing, *frames])
    left, right = sample[found["row"].to_numpy()], found["document"].to_numpy()
    similarity = found["intersection"] / found["union"]
    both = pl.Series((left != right) & eligible[right], dtype=pl.Boolean)
    return pl.DataFrame({"left": left, "right": right, "similarity": similarity}).filter(both)


def _joined(parts: Sequence[Shingles]) -> Shingles:
    hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in parts)])
    lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(part.offsets) for part in parts)])
    return Shingles(hashes, offsets_of(lengths))


def _check_removals(
    duplicates: Duplicates, selection: Selection, sample: Array, *, shards: Sequence[Shard]
) -> pl.DataFrame:
    """What is said of sampled removals, and what their texts say.

    Documents removed in favour of an index are left out: the texts of that are not there.
    """
    removed = sample[selection.removed[sample] & (selection.kept_index[sample] < len(selection.kept_index))]
    kept = selection.kept_index[removed]
    texts = _texts(shards, np.union1d(removed, kept))
    pairs = [(texts[document], texts[other]) for document, other in zip(removed.tolist(), kept.tolist(), strict=True)]
    return pl.DataFrame(
        {
            "document": removed,
            "kept_index": kept,
            "exact": selection.exact[removed],
            "similarity": selection.similarity[removed],
            "true_exact": pl.Series([plain.canonical(a) == plain.canonical(b) for a, b in pairs], dtype=pl.Boolean),
            "true_similarity": pl.Series(
                [plain.similarity(a, b, duplicates.config) for a, b in pairs], dtype=pl.Float64
            ),
        }
    )


def _texts(shards: Sequence[Shard], documents: Array) -> dict[int, str]:
    """The texts of documents by their numbers."""
    found: dict[int, str] = {}
    begin = 0
    for shard in shards:
        batch = load_shard(shard)
        for row in (documents[(documents >= begin) & (documents < begin + len(batch))] - begin).tolist():
            found[begin + row] = batch.data[batch.offsets[row] : batch.offsets[row + 1]].tobytes().decode()
        begin += len(batch)
    return found


def _table(pairs: pl.DataFrame, threshold: float) -> pl.DataFrame:
    steps = max(1, round((1 - threshold) / SIMILARITY_STEP))
    edges = [threshold + (1 - threshold) * step / steps for step in range(steps)]
    ranges = [(threshold, 1.0), *zip(edges, [*edges[1:], 1.0], strict=True)] if steps > 1 else [(threshold, 1.0)]
    sources = sorted(set(pairs["source"].to_list()) - {ALL})
    rows = []
    for source in [ALL, *sources]:
        own = pairs if source == ALL else pairs.filter(pl.col("source") == source)
        for low, high in ranges:
            top = pl.col("similarity") <= high if high == 1.0 else pl.col("similarity") < high
            rows.append(_row(own.filter((pl.col("similarity") >= low) & top), source, (low, high)))
    return pl.DataFrame(rows)


def _row(pairs: pl.DataFrame, source: str, similarity: tuple[float, float]) -> dict[str, Any]:
    weights = pairs["weight"].to_numpy()
    share = float(np.average(pairs["resolved"].to_numpy(), weights=weights)) if pairs.height else None
    documents = pairs["left"].n_unique()
    low, high = wilson((share or 0.0) * documents, documents)
    theory = float(np.average(pairs["theoretical"].to_numpy(), weights=weights)) if pairs.height else None
    return {
        "source": source,
        "similarity_from": similarity[0],
        "similarity_to": similarity[1],
        "sampled_documents": documents,
        "true_pairs": pairs.height,
        "resolved_pairs": int(pairs["resolved"].sum()),
        "recall": share,
        "low": low,
        "high": high,
        "theoretical_recall": theory,
    }
