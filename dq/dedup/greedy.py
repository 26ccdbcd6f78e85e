"""Which documents are kept: the unique greedy maximal independent set of the verified pairs.

Eligible documents are visited best first; one is kept unless a kept document is its verified neighbour. No chains:
every removed document is itself at or above the threshold with the kept one it points to. The result depends on the
pairs, the eligible documents and the order only. Members of large buckets are verified here, against kept members of
their buckets alone, so the cost is bucket size times kept documents in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dq.arrays import I64, Array, Bools, offsets_of, read_only
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
from dq.dedup.selection import NOT_ELIGIBLE, Selection
from dq.executors import run_in_threads

MEMBERS_A_PART = 128  # each maps up to 2 MB of their shingles, which are given back after each part


def select_all(duplicates: Duplicates, eligible: Bools, *, order: I64, bound: Bound, threads: int = 1) -> Selection:
    """Choose what is kept among the eligible documents; some twenty numbers a document are in memory.

    Args:
        duplicates: copies, pairs and large buckets.
        eligible: bool (documents,).
        order: int64 (documents,), a distinct rank each, the smallest first.
        bound: the least similarity of duplicates.
        threads: for the search of the most similar kept document.
    """
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
    numbers, first_copy = np.arange(duplicates.documents), duplicates.first_copy
    node = np.where(first_copy >= 0, first_copy, numbers)
    final = targets.nodes[node]
    kept_index = np.where(first_copy >= 0, leader[final], numbers)
    kept_index[~eligible] = NOT_ELIGIBLE
    near = eligible & (final != node)
    intersection, joint = np.where(near, targets.common[node], 0), np.where(near, targets.union[node], 0)
    similarity = np.where(near, intersection / np.maximum(joint, 1), np.where(eligible, 1.0, np.nan))
    sizes = np.bincount(kept_index[eligible], minlength=duplicates.documents)[: duplicates.documents]
    removed = np.flatnonzero((kept_index != NOT_ELIGIBLE) & (kept_index != numbers))
    exact = np.zeros(len(numbers), np.bool_)
    first_text = duplicates.first_text
    exact[removed] = first_text[removed] == first_text[kept_index[removed]]
    return Selection(kept_index, intersection, joint, similarity, exact, sizes, compared)
