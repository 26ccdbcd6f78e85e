"""The table of English stop words that ``kernels.documents`` looks every word up in."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np

from dq.quality.function_words import ENGLISH_FUNCTION_WORDS, GOPHER_STOP_WORDS
from dq.quality.kernels.documents import FUNCTION_WORD, STOP_BUCKETS, STOP_MASK, STOP_SLOTS
from dq.text.kernels.hash import hash_of

__all__ = ["stop_words"]

Array: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]


@functools.cache
def stop_words() -> tuple[Array, Array, np.uint64]:
    """The English stop words for ``kernels.documents``: slots, displacements and shift of a hash without collisions."""
    entries: dict[str, int] = dict.fromkeys(ENGLISH_FUNCTION_WORDS, FUNCTION_WORD)
    for bit, word in enumerate(GOPHER_STOP_WORDS):
        entries[word] |= 1 << bit
    keys = {int(hash_of(np.frombuffer(word.encode(), np.uint8))): bits for word, bits in entries.items()}
    for shift in range(7, 56):
        slots = _without_collisions(keys, shift)
        if slots is not None:
            return *slots, np.uint64(shift)
    raise AssertionError("the stop words have a hash without collisions")


def _without_collisions(keys: dict[int, int], shift: int) -> tuple[Array, Array] | None:
    """Slots and displacements that give every key a slot of its own, fullest bucket first; None if there are none."""
    slots, displacements = np.zeros(STOP_SLOTS, np.uint64), np.zeros(STOP_BUCKETS, np.uint64)
    buckets = [[key for key in keys if key % STOP_BUCKETS == bucket] for bucket in range(STOP_BUCKETS)]
    taken: set[int] = set()
    for bucket in sorted(range(STOP_BUCKETS), key=lambda bucket: -len(buckets[bucket])):
        for displacement in range(STOP_SLOTS):
            wanted = {((key >> shift) ^ displacement) % STOP_SLOTS: key for key in buckets[bucket]}
            if len(wanted) == len(buckets[bucket]) and not wanted.keys() & taken:
                break
        else:
            return None
        taken |= wanted.keys()
        displacements[bucket] = displacement
        for slot, key in wanted.items():
            slots[slot] = key & ~int(STOP_MASK) | keys[key]
    return slots, displacements
