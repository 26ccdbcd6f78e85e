"""One pass over the bytes of a batch: a bit per byte and property, whatever the document.

Documents lie one after another, so blocks of 64 bytes run across them; who reads a document's bits cuts at its ends.
ASCII is classified 64 bytes at a time; every other character is looked up by code point in ``TextTables.scan``.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import U8, U64
from dq.text.kernels.bits import count_ones, leading_zeros, nonnegative, trailing_zeros
from dq.text.kernels.blocks import (
    ASCII_MASKS,
    BREAK,
    CONTINUATION,
    DIGIT,
    HIGH,
    PLAIN,
    SPACE,
    TRIGGER,
    UPPER,
    block_masks,
)
from dq.text.kernels.flags import (
    SCAN_BREAK,
    SCAN_DIGIT,
    SCAN_ELLIPSIS,
    SCAN_PLAIN,
    SCAN_SPACE,
    SCAN_TRIGGER,
    SCAN_UPPER,
)
from dq.text.kernels.jit import inlined, kernel, part
from dq.text.kernels.utf8 import char_width, decode

ELLIPSIS = ASCII_MASKS  # the last row: U+2026
MASKS = ASCII_MASKS + 1

ONE, ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def scan_batch(data: U8, start: int, end: int, scan: U8, masks: U64) -> None:
    """Fill ``masks`` (uint64, MASKS x blocks) for ``data[start:end]``; bits past the end are white space.

    Needs (end - start) // 64 + 2 blocks; the last one is all white space, so that no search runs out.
    """
    tail = np.zeros(66, np.uint8)
    n_blocks = (end - start + 63) >> 6
    spilled_space, spilled_plain = np.uint64(0), np.uint64(0)
    for block in range(n_blocks):
        at = start + (block << 6)
        if at + 65 <= data.shape[0] and at + 65 <= end:
            rows = block_masks(data, at)
        else:
            for k in range(65):
                tail[k] = data[at + k] if at + k < end else 0x20
            rows = block_masks(tail, np.int64(0))
        for k in range(ASCII_MASKS):
            masks[k, block] = rows[k]
        masks[ELLIPSIS, block] = 0
        if rows[HIGH]:
            masks[SPACE, block] |= spilled_space
            masks[PLAIN, block] |= spilled_plain
            leads = rows[HIGH] & ~rows[CONTINUATION]
            spilled_space, spilled_plain = _patch_block(data, at, block, leads, scan, masks)
    for k in range(MASKS):
        masks[k, n_blocks] = 0
    masks[SPACE, n_blocks] = ALL


@part
def _patch_block(data: U8, at: int, block: int, leads: np.uint64, scan: U8, masks: U64) -> tuple[np.uint64, np.uint64]:
    """Set the bits of the characters outside ASCII that begin in a block; return what spills into the next one."""
    spilled_space, spilled_plain = np.uint64(0), np.uint64(0)
    while leads:
        offset = trailing_zeros(leads)
        leads &= leads - ONE
        bits = scan[decode(data, at + offset)]
        width = char_width(data[at + offset])
        here = ((ONE << np.uint64(width)) - ONE) << np.uint64(offset)
        spill = ((ONE << np.uint64(width)) - ONE) >> np.uint64(64 - offset) if offset > 60 else np.uint64(0)
        lead = ONE << np.uint64(offset)
        if bits & SCAN_PLAIN:
            masks[PLAIN, block] |= here
            spilled_plain |= spill
        if bits & SCAN_SPACE:
            masks[SPACE, block] |= here
            spilled_space |= spill
        if bits & SCAN_UPPER:
            masks[UPPER, block] |= lead
        if bits & SCAN_DIGIT:
            masks[DIGIT, block] |= lead
        if bits & SCAN_BREAK:
            masks[BREAK, block] |= lead
        if bits & SCAN_ELLIPSIS:
            masks[ELLIPSIS, block] |= lead
        if bits & SCAN_TRIGGER:
            masks[TRIGGER, block] |= lead
    return spilled_space, spilled_plain


@inlined
def low_bits(n: int) -> np.uint64:
    """A uint64 with the lowest ``n`` (0 to 64) bits set."""
    return ALL if n >= 64 else (ONE << np.uint64(n)) - ONE


@inlined
def bits_at(row: U64, at: int, n: int) -> np.uint64:
    """Bits ``at`` to ``at + n`` (n from 1 to 64) of a row of masks, as the lowest bits of a uint64."""
    block, shift = nonnegative(at) >> 6, np.uint64(at & 63)
    # Two shifts instead of a test: whether the bits cross into the next block cannot be predicted.
    bits = (row[block] >> shift) | (row[block + 1] << ONE << (np.uint64(63) - shift))
    return bits & (ALL >> np.uint64(64 - n))


@inlined
def count_bits(row: U64, start: int, end: int) -> int:
    """Set bits of a row of masks from ``start`` up to ``end``."""
    if end <= start:
        return 0
    first, last = nonnegative(start) >> 6, nonnegative(end - 1) >> 6
    head = row[first] & ~low_bits(start & 63)
    if first == last:
        return count_ones(head & low_bits(((end - 1) & 63) + 1))
    count = count_ones(head)
    for block in range(first + 1, last):
        count += count_ones(row[block])
    return count + count_ones(row[last] & low_bits(((end - 1) & 63) + 1))


@inlined
def next_bit(row: U64, start: int, end: int) -> int:
    """The first set bit from ``start`` on; ``end`` where there is none before it."""
    if start >= end:
        return end
    block = nonnegative(start) >> 6
    bits = row[block] & ~low_bits(start & 63)
    while not bits:
        block += 1
        if block << 6 >= end:
            return end
        bits = row[block]
    return min(end, (block << 6) + trailing_zeros(bits))


@inlined
def strip_span(space: U64, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends, as str.strip(); ``space`` is the row of white-space bits."""
    while start < end and (space[start >> 6] >> np.uint64(start & 63)) & ONE:
        gone = trailing_zeros(~(space[start >> 6] >> np.uint64(start & 63)))
        start = min(end, start + min(gone, 64 - (start & 63)))
    while end > start and (space[(end - 1) >> 6] >> np.uint64((end - 1) & 63)) & ONE:
        used = ((end - 1) & 63) + 1
        gone = leading_zeros(~(space[(end - 1) >> 6] << np.uint64(64 - used)))
        end = max(start, end - min(gone, used))
    return start, end
