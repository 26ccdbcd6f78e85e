"""Which documents are kept: the unique greedy maximal independent set of the verified pairs.

Eligible documents are visited best first; one is kept unless a kept document is its verified neighbour. No chains:
every removed document is itself at or above the threshold with the kept one it points to. The result depends on the
pairs, the eligible documents and the order only. Members of large buckets are verified here, against kept members of
their buckets alone, so the cost is bucket size times kept documents in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.arrays import F64, I64, Array, Bools, offsets_of, read_only
from dq.dedup.config import exact_threshold
from dq.dedup.duplicates import Duplicates
from dq.dedup.kernels.selection import (
    UNSEEN,
    Alike,
    Buckets,
    Graph,
    Kept,
    Targets,
    keep_greedily,
    most_similar_kept,
)
from dq.dedup.kernels.verify import Bound
from dq.errors import ConfigError
from dq.executors import require_live_polars, run_in_threads

MEMBERS_A_PART = 128  # each maps up to 2 MB of their shingles, which are given back after each part
NOT_ELIGIBLE = -1


@dataclass(frozen=True)
class Selection:
    """The kept documents, and for each removed one the kept one it duplicates."""

    kept_index: I64
    """int64 (documents,): the document itself where kept, its most similar kept one where removed, -1 where it was not
    eligible. Numbers from ``documents`` on are frozen documents of an index."""
    intersection: I64
    """int64 (documents,): shared shingles with the kept one; 0 for the kept, and where all shingles are equal."""
    union: I64
    """int64 (documents,): joint shingles with the kept one, as in ``intersection``."""
    similarity: F64
    """float64 (documents,): exact Jaccard similarity with the kept one; 1 for the kept, NaN if not eligible."""
    exact: Bools
    """bool (documents,): removed, and its canonical text is that of the kept one."""
    cluster_size: I64
    """int64 (documents,): for a kept document the documents that point to it, itself included; else 0."""
    verified_at_selection: int
    """Comparisons made in large buckets."""

    @property
    def kept(self) -> Bools:
        """Bool (documents,)."""
        return np.asarray(self.kept_index == np.arange(len(self.kept_index)))

    @property
    def removed(self) -> Bools:
        """Bool (documents,): eligible and not kept."""
        return np.asarray((self.kept_index != NOT_ELIGIBLE) & ~self.kept)

    def table(self) -> pl.DataFrame:
        """One row per removed document: document, kept_index, exact, similarity, intersection, union.

        The counts are null where all shingles are equal, as those of exact copies are.
        """
        rows = np.flatnonzero(self.removed)
        frame = pl.DataFrame(
            {
                "document": rows,
                "kept_index": self.kept_index[rows],
                "exact": self.exact[rows],
                "similarity": self.similarity[rows],
            }
        )
        copies = pl.Series(self.union[rows] == 0)
        counts = {name: pl.Series(getattr(self, name)[rows]) for name in ("intersection", "union")}
        return frame.with_columns(
            pl.when(~copies).then(values).otherwise(None).alias(name) for name, values in counts.items()
        )


def _graph(duplicates: Duplicates, bound: Bound) -> Graph:
    """The verified pairs at or above the bound."""
    columns = ("left", "right", "intersection", "union")
    left, right, common, union = (duplicates.pairs[name].to_numpy() for name in columns)
    strong = common * bound.denominator >= union * bound.numerator
    left, right, common, union = (values[strong] for values in (left, right, common, union))
    ends = np.concatenate([left, right])
    by_end = np.argsort(ends, kind="stable")
    total = duplicates.documents + duplicates.frozen.height
    offsets = offsets_of(np.bincount(ends, minlength=total))
    both = (np.concatenate([right, left]), np.tile(common, 2), np.tile(union, 2))
    neighbours, common, union = (values[by_end] for values in both)
    return Graph(neighbours, offsets, common, union)


def select(
    duplicates: Duplicates,
    eligible: Bools,
    *,
    order: I64,
    threshold: float | None = None,
    threads: int = 1,
) -> Selection:
    """Choose what is kept among the eligible documents.

    Args:
        duplicates: copies, pairs and large buckets of the corpus.
        eligible: bool (documents,): others neither are kept nor remove anything.
        order: int64 (documents,), a distinct rank each, the smallest first (:meth:`dq.dedup.Policy.ranks`).
        threshold: a stricter similarity than the duplicates were found with.
        threads: for the search of the most similar kept document.

    Raises:
        ConfigError: arrays of another length, or a threshold below that of the duplicates.
    """
    require_live_polars()
    _check(duplicates, eligible, order, threshold=threshold)
    exact = duplicates.config.exact_threshold if threshold is None else exact_threshold(threshold)
    bound = Bound(*exact.as_integer_ratio())
    count, frozen = duplicates.documents, duplicates.frozen.height
    # Frozen documents come after all others in number and before all others in rank.
    order = np.concatenate([order - order.min(initial=0) + frozen, np.arange(frozen)])
    first_copy = np.concatenate([duplicates.first_copy, np.arange(count, count + frozen)])
    leader = _leaders(first_copy, np.concatenate([eligible, np.ones(frozen, np.bool_)]), order)
    nodes = np.flatnonzero(leader >= 0)
    position = np.where(leader >= 0, order[leader], np.iinfo(np.int64).max)
    ordered = nodes[np.argsort(position[nodes])]
    targets, compared = _resolve(duplicates, bound, ordered, position=position, threads=threads)
    return _expand(duplicates, eligible, leader=leader, targets=targets, compared=compared)


def _resolve(
    duplicates: Duplicates, bound: Bound, ordered: Array, *, position: Array, threads: int
) -> tuple[Targets, int]:
    """For each node the kept one it points to, and the comparisons it took."""
    graph, buckets = _graph(duplicates, bound), _buckets(duplicates)
    alike = Alike(duplicates.bands.min_matches, bound)
    kept = Kept(
        np.zeros(len(position), np.bool_),
        np.zeros_like(duplicates.buckets.members),
        np.zeros(len(duplicates.buckets), np.int64),
    )
    compared, last = 0, _none_compared(buckets)
    for part in _parts(buckets, ordered):
        compared += keep_greedily(part, graph, buckets, alike, duplicates.documents, kept, last)
        duplicates.buckets.release()
    itself = np.arange(len(position))
    targets = Targets(itself, np.zeros_like(itself), np.zeros_like(itself))

    def point(parts: Sequence[Array]) -> int:
        made, last = 0, _none_compared(buckets)
        for part in parts:
            made += most_similar_kept(part, position, graph, buckets, alike, kept, targets, last)
            duplicates.buckets.release()
        return made

    parts = _parts(buckets, ordered[~kept.nodes[ordered]])
    compared += sum(run_in_threads(point, [parts[thread::threads] for thread in range(threads)], threads=threads))
    return targets, compared


def _check(duplicates: Duplicates, eligible: Array, order: Array, *, threshold: float | None) -> None:
    count = duplicates.documents
    if len(eligible) != count or len(order) != count:
        raise ConfigError(f"{count} documents, but {len(eligible)} eligible flags and {len(order)} ranks")
    if threshold is not None and not duplicates.config.threshold <= threshold <= 1:
        raise ConfigError(
            f"pairs are verified from {duplicates.config.threshold} up, so nothing is known at {threshold}: "
            "find the duplicates again with that threshold"
        )


def _leaders(first_copy: Array, eligible: Array, order: Array) -> Array:
    """Best eligible document of each class of copies, at the class's first copy; -1 elsewhere and without shingles."""
    rows = np.flatnonzero(eligible & (first_copy >= 0))
    rows = rows[np.argsort(-order[rows])]
    leader = np.full(len(first_copy), -1, np.int64)
    leader[first_copy[rows]] = rows  # the last assignment, that of the best rank, stays
    return leader


def _buckets(duplicates: Duplicates) -> Buckets:
    large = duplicates.buckets
    member_of = np.full(duplicates.documents + duplicates.frozen.height, -1, np.int64)
    member_of[large.documents] = np.arange(len(large.documents))
    bucket = np.repeat(np.arange(len(large)), np.diff(large.offsets))
    return Buckets(
        offsets=large.offsets,
        member_of=member_of,
        node_of=large.documents,
        member_offsets=offsets_of(np.bincount(large.members, minlength=len(large.documents))),
        member_buckets=bucket[np.argsort(large.members, kind="stable")],
        shingles=read_only(np.asarray(large.shingles)),
        shingle_offsets=large.shingle_offsets,
        digests=read_only(np.asarray(large.digests)),
    )


def _parts(buckets: Buckets, nodes: Array) -> list[Array]:
    """The nodes in order, cut so that few of a part are members of large buckets."""
    members = np.cumsum(buckets.member_of[nodes] >= 0)
    cuts = np.searchsorted(members, np.arange(MEMBERS_A_PART, len(buckets.node_of) + 1, MEMBERS_A_PART))
    return np.split(nodes, np.unique(cuts))


def _none_compared(buckets: Buckets) -> I64:
    """For each member the one that was compared with it last: none."""
    return np.full(len(buckets.node_of), UNSEEN, np.int64)


def _expand(duplicates: Duplicates, eligible: Array, *, leader: Array, targets: Targets, compared: int) -> Selection:
    """From classes of copies back to documents."""
    numbers = np.arange(duplicates.documents)
    node = np.where(duplicates.first_copy >= 0, duplicates.first_copy, numbers)
    final = targets.nodes[node]
    kept_index = np.where(duplicates.first_copy >= 0, leader[final], numbers)
    kept_index[~eligible] = NOT_ELIGIBLE
    near = eligible & (final != node)
    intersection, joint = np.where(near, targets.common[node], 0), np.where(near, targets.union[node], 0)
    similarity = np.where(near, intersection / np.maximum(joint, 1), np.where(eligible, 1.0, np.nan))
    sizes = np.bincount(kept_index[eligible], minlength=duplicates.documents)[: duplicates.documents]
    removed = np.flatnonzero((kept_index != NOT_ELIGIBLE) & (kept_index != numbers))
    exact = np.zeros(len(numbers), np.bool_)
    exact[removed] = duplicates.first_text[removed] == duplicates.first_text[kept_index[removed]]
    return Selection(kept_index, intersection, joint, similarity, exact, sizes, compared)
