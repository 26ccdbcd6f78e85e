"""The greedy maximal independent set of the verified pairs, large buckets verified on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.dedup.kernels.candidates import equal_values
from dq.dedup.kernels.verify import common_shingles
from dq.text.kernels.jit import kernel

__all__ = ["keep_greedily", "most_similar_kept"]

Array = np.ndarray[Any, Any]

UNSEEN = -1


@kernel
def keep_greedily(
    ordered: Array,
    neighbours: Array,
    neighbour_offsets: Array,
    member_of: Array,
    bucket_offsets: Array,
    member_offsets: Array,
    member_buckets: Array,
    shingles: Array,
    shingle_offsets: Array,
    digests: Array,
    min_matches: int,
    numerator: int,
    denominator: int,
    frozen_from: int,
    kept: Array,
    kept_members: Array,
    kept_counts: Array,
    last: Array,
) -> int:
    """Visit nodes best first; keep one unless an earlier kept one is its neighbour. Returns comparisons made.

    Nodes from ``frozen_from`` on are kept whatever their neighbours.

    ``last`` holds for each member the one that was compared with it last, at first -1: buckets share members.
    ``member_of`` maps a node to its number among the members of large buckets, or -1. Where kept, a member is entered
    in ``kept_members`` (laid out by ``bucket_offsets``), so a later member meets kept ones only.
    """
    compared = 0
    for node in ordered:
        blocked = False
        free = node < frozen_from
        for k in range(neighbour_offsets[node], neighbour_offsets[node + 1]):
            if free and kept[neighbours[k]]:
                blocked = True
                break
        member = member_of[node]
        if member < 0:
            kept[node] = not blocked
            continue
        begin, end = member_offsets[member], member_offsets[member + 1]
        own = shingles[shingle_offsets[member] : shingle_offsets[member + 1]]
        for k in range(begin, end):
            if blocked or not free:
                break
            bucket = member_buckets[k]
            first = bucket_offsets[bucket]
            for m in range(first, first + kept_counts[bucket]):
                other = kept_members[m]
                if last[other] == member:
                    continue
                last[other] = member
                compared += 1
                if equal_values(digests[member], digests[other]) < min_matches:
                    continue
                theirs = shingles[shingle_offsets[other] : shingle_offsets[other + 1]]
                if common_shingles(own, theirs, numerator, denominator) >= 0:
                    blocked = True
                    break
        if blocked:
            continue
        kept[node] = True
        for k in range(begin, end):
            bucket = member_buckets[k]
            kept_members[bucket_offsets[bucket] + kept_counts[bucket]] = member
            kept_counts[bucket] += 1
    return compared


@kernel
def most_similar_kept(
    nodes: Array,
    position: Array,
    neighbours: Array,
    neighbour_offsets: Array,
    neighbour_common: Array,
    neighbour_union: Array,
    member_of: Array,
    node_of: Array,
    bucket_offsets: Array,
    member_offsets: Array,
    member_buckets: Array,
    shingles: Array,
    shingle_offsets: Array,
    digests: Array,
    min_matches: int,
    numerator: int,
    denominator: int,
    kept: Array,
    kept_members: Array,
    kept_counts: Array,
    target: Array,
    common: Array,
    union: Array,
    last: Array,
) -> int:
    """For each removed node its most similar kept neighbour; ties go to the better ``position``.

    Returns comparisons made.
    """
    compared = 0
    for node in nodes:
        best = np.int64(UNSEEN)
        best_common, best_union = 0, 1
        for k in range(neighbour_offsets[node], neighbour_offsets[node + 1]):
            other = neighbours[k]
            if not kept[other]:
                continue
            ahead = neighbour_common[k] * best_union - best_common * neighbour_union[k]
            if best < 0 or ahead > 0 or (ahead == 0 and position[other] < position[best]):
                best, best_common, best_union = other, neighbour_common[k], neighbour_union[k]
        member = member_of[node]
        if member >= 0:
            own = shingles[shingle_offsets[member] : shingle_offsets[member + 1]]
            for k in range(member_offsets[member], member_offsets[member + 1]):
                bucket = member_buckets[k]
                first = bucket_offsets[bucket]
                for m in range(first, first + kept_counts[bucket]):
                    candidate = kept_members[m]
                    if last[candidate] == member:
                        continue
                    last[candidate] = member
                    compared += 1
                    if equal_values(digests[member], digests[candidate]) < min_matches:
                        continue
                    theirs = shingles[shingle_offsets[candidate] : shingle_offsets[candidate + 1]]
                    found = common_shingles(own, theirs, numerator, denominator)
                    if found < 0:
                        continue
                    other = node_of[candidate]
                    merged = own.size + theirs.size - found
                    ahead = found * best_union - best_common * merged
                    if best < 0 or ahead > 0 or (ahead == 0 and position[other] < position[best]):
                        best, best_common, best_union = other, found, merged
        target[node] = best
        common[node] = best_common
        union[node] = best_union
    return compared
