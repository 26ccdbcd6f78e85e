"""English function words: articles, pronouns, auxiliaries, prepositions, conjunctions, common particles.

Closed word classes, compiled for this project; English only. Gopher's own eight stop words are apart because the rule
counts how many *different* ones occur (Rae et al. 2021, appendix A.1.1).
"""

from __future__ import annotations

import functools

import numpy as np

from dq.arrays import U64
from dq.quality.kernels.documents import FUNCTION_WORD, STOP_BUCKETS, STOP_MASK, STOP_SLOTS, StopWords
from dq.text import hash_of

GOPHER_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

_TEXT = """
a an the this that these those each every either neither some any no all both half such what which whatever whichever
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves who whom whose one ones oneself
am is are was were be been being have has had having do does did doing will would shall should can could may might must
ought
about above across after against along among around as at before behind below beneath beside besides between beyond by
despite down during except for from in inside into like near of off on onto out outside over past since than through
throughout till to toward towards under until unto up upon via with within without
and but or nor so yet if though although because unless while whereas whether when where why how
not there here then thus too very just only also again once more most much many few little less least other another same
own even still
"""
ENGLISH_FUNCTION_WORDS = tuple(_TEXT.split())


@functools.cache
def stop_words() -> StopWords:
    """Gopher's stop words and the function words, as the table that `kernels.documents` looks every word up in."""
    entries: dict[str, int] = dict.fromkeys(ENGLISH_FUNCTION_WORDS, FUNCTION_WORD)
    for bit, word in enumerate(GOPHER_STOP_WORDS):
        entries[word] |= 1 << bit
    keys = {int(hash_of(np.frombuffer(word.encode(), np.uint8))): bits for word, bits in entries.items()}
    for shift in range(7, 56):
        slots = _without_collisions(keys, shift)
        if slots is not None:
            return StopWords(*slots, np.uint64(shift))
    raise AssertionError("the stop words have a hash without collisions")


def _without_collisions(keys: dict[int, int], shift: int) -> tuple[U64, U64] | None:
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
