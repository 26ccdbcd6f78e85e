"""How much of a text there is to see, repeats left out: what the policy `longest` goes by.

Visible characters of the canonical text are counted (white space, control and format characters are none), but not
those in a run of 32 visible ones that occurred before. So a page repeated fifty times has as many as the page, and a
line of thousand dashes has one; double spaces, padding and zero-width marks have none.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I32, I64, U8, U64
from dq.dedup.kernels.canonical import canonical_bytes, canonicalise
from dq.dedup.kernels.shingles import longest_text
from dq.text.kernels.bits import multiply_fold
from dq.text.kernels.flags import SPACE
from dq.text.kernels.jit import kernel
from dq.text.kernels.nfc import NfcTables
from dq.text.kernels.utf8 import decode_any

RUN = 32
FACTOR = np.uint64(0x9E3779B97F4A7C15)
SECRET = np.uint64(0xA0761D6478BD642F)


@kernel
def count_visible(data: U8, offsets: I64, chosen: I64, canonical: NfcTables, classes: U8, counts: I64) -> None:
    """Visible characters of each chosen document, repeats left out, into ``counts`` by document."""
    longest = longest_text(offsets, chosen)
    text = np.empty(canonical_bytes(longest), np.uint8)
    characters = np.empty(longest + 1, np.int32)
    table = np.zeros(16, np.uint64)
    for d in chosen:
        length = canonicalise(data, offsets[d], offsets[d + 1], text, canonical)
        if length > characters.size:
            characters = np.empty(length, np.int32)
        seen = at = 0
        while at < length:
            code, at = decode_any(text, at, length)
            if code >= 0 and classes[code] != 0 and classes[code] & SPACE == 0:
                characters[seen] = code
                seen += 1
        slots = table.size
        while slots < 2 * seen:
            slots *= 2
        if slots > table.size:
            table = np.zeros(slots, np.uint64)
        counts[d] = seen - _repeated(characters, seen, table)


@kernel
def _repeated(characters: I32, count: int, table: U64) -> int:
    """Characters in runs of RUN that occurred before."""
    if count < RUN:
        return 0
    slots = 16
    while slots < 2 * count:
        slots *= 2
    wrap = np.uint64(slots - 1)
    for k in range(slots):
        table[k] = 0
    oldest = np.uint64(1)
    for _ in range(RUN):
        oldest *= FACTOR
    state = np.uint64(0)
    repeated = until = 0
    for k in range(count):
        state = state * FACTOR + np.uint64(characters[k])
        if k >= RUN:
            state -= np.uint64(characters[k - RUN]) * oldest
        if k < RUN - 1:
            continue
        hashed = multiply_fold(state ^ SECRET, FACTOR) | np.uint64(1)  # 0 is a free slot
        slot = (hashed >> np.uint64(20)) & wrap
        while table[slot] != 0 and table[slot] != hashed:
            slot = (slot + np.uint64(1)) & wrap
        if table[slot] == 0:
            table[slot] = hashed
            continue
        repeated += k + 1 - max(until, k + 1 - RUN)
        until = k + 1
    return repeated
