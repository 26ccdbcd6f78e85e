"""The greedy maximal independent set of the verified pairs, large buckets verified on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, U8, U64, Bools
from dq.dedup.kernels.candidates import equal_values
from dq.dedup.kernels.verify import Bound, common_shingles
from dq.text.kernels.jit import kernel, part

UNSEEN = -1


class Graph(NamedTuple):
    """Neighbours of each node as one flat list, in both directions."""

    neighbours: I64
    offsets: I64
    """Into ``neighbours``, by node."""
    common: I64
    """Shingles in common with each neighbour."""
    union: I64
    """Joint shingles."""


class Buckets(NamedTuple):
    """Large buckets, the buckets of each of their members, and what members are compared by."""

    offsets: I64
    """Where the members of each bucket begin, in ``Kept.members``."""
    member_of: I64
    """The number of each node among the members, or -1."""
    node_of: I64
    """The node of each member."""
    member_offsets: I64
    """Into ``member_buckets``, by member."""
    member_buckets: I64
    shingles: U64
    """Sorted and unique for each member."""
    shingle_offsets: I64
    digests: U8
    """(members, num_perm)."""


class Alike(NamedTuple):
    """What makes two members duplicates."""

    min_matches: int
    """Equal digest values; fewer are not looked at any further."""
    bound: Bound


class Kept(NamedTuple):
    """What is kept so far."""

    nodes: Bools
    members: I64
    """Of each bucket, so that a later member meets kept ones only; laid out by ``Buckets.offsets``."""
    counts: I64
    """How many of each bucket."""


class Targets(NamedTuple):
    """For each node the kept one that it points to, and the shingles in common and in all."""

    nodes: I64
    common: I64
    union: I64


@part
def _shingles(member: int, buckets: Buckets) -> U64:
    return buckets.shingles[buckets.shingle_offsets[member] : buckets.shingle_offsets[member + 1]]


@part
def _common(member: int, other: int, buckets: Buckets, alike: Alike) -> int:
    """Common shingles of two members, or -1 where they are no duplicates."""
    if equal_values(buckets.digests[member], buckets.digests[other]) < alike.min_matches:
        return -1
    return common_shingles(_shingles(member, buckets), _shingles(other, buckets), alike.bound)


@kernel
def keep_greedily(
    ordered: I64, graph: Graph, buckets: Buckets, alike: Alike, frozen_from: int, kept: Kept, last: I64
) -> int:
    """Visit nodes best first; keep one unless an earlier kept one is its neighbour. Returns comparisons made.

    Nodes from ``frozen_from`` on are kept whatever their neighbours. ``last`` holds for each member the one that was
    compared with it last, at first UNSEEN: buckets share members.
    """
    compared = 0
    for node in ordered:
        blocked = False
        free = node < frozen_from
        for k in range(graph.offsets[node], graph.offsets[node + 1]):
            if free and kept.nodes[graph.neighbours[k]]:
                blocked = True
                break
        member = buckets.member_of[node]
        if member < 0:
            kept.nodes[node] = not blocked
            continue
        begin, end = buckets.member_offsets[member], buckets.member_offsets[member + 1]
        for k in range(begin, end):
            if blocked or not free:
                break
            bucket = buckets.member_buckets[k]
            first = buckets.offsets[bucket]
            for m in range(first, first + kept.counts[bucket]):
                other = kept.members[m]
                if last[other] == member:
                    continue
                last[other] = member
                compared += 1
                if _common(member, other, buckets, alike) >= 0:
                    blocked = True
                    break
        if blocked:
            continue
        kept.nodes[node] = True
        for k in range(begin, end):
            bucket = buckets.member_buckets[k]
            kept.members[buckets.offsets[bucket] + kept.counts[bucket]] = member
            kept.counts[bucket] += 1
    return compared


@kernel
def most_similar_kept(
    nodes: I64, position: I64, graph: Graph, buckets: Buckets, alike: Alike, kept: Kept, targets: Targets, last: I64
) -> int:
    """For each removed node its most similar kept neighbour; ties go to the better ``position``.

    Returns comparisons made; ``last`` as of `keep_greedily`.
    """
    compared = 0
    for node in nodes:
        best = np.int64(UNSEEN)
        best_common, best_union = 0, 1
        for k in range(graph.offsets[node], graph.offsets[node + 1]):
            other = graph.neighbours[k]
            if not kept.nodes[other]:
                continue
            ahead = graph.common[k] * best_union - best_common * graph.union[k]
            if best < 0 or ahead > 0 or (ahead == 0 and position[other] < position[best]):
                best, best_common, best_union = other, graph.common[k], graph.union[k]
        member = buckets.member_of[node]
        if member >= 0:
            for k in range(buckets.member_offsets[member], buckets.member_offsets[member + 1]):
                bucket = buckets.member_buckets[k]
                first = buckets.offsets[bucket]
                for m in range(first, first + kept.counts[bucket]):
                    candidate = kept.members[m]
                    if last[candidate] == member:
                        continue
                    last[candidate] = member
                    compared += 1
                    found = _common(member, candidate, buckets, alike)
                    if found < 0:
                        continue
                    other = buckets.node_of[candidate]
                    joint = _shingles(member, buckets).size + _shingles(candidate, buckets).size - found
                    ahead = found * best_union - best_common * joint
                    if best < 0 or ahead > 0 or (ahead == 0 and position[other] < position[best]):
                        best, best_common, best_union = other, found, joint
        targets.nodes[node] = best
        targets.common[node] = best_common
        targets.union[node] = best_union
    return compared
