"""From UTF-8 bytes to word hashes.

A word is a maximal run of letters, marks and digits (Unicode general categories L*, M*, N*), in simple lower case;
everything else separates. Step one folds a document into a scratch buffer: lower-cased words, and spaces for what
separates them. Step two finds the words there with 64-byte masks and hashes each from two masked 8-byte loads.
The copy costs little and means that no kernel reads past a foreign buffer, and that ``K`` (U+212A) and ``k`` hash
alike.

Measured: 1.5 GB/s for both steps on mixed text, one core (Zen 3, 3.1 GHz).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.dedup.kernels.simd import BLOCK, fold_block, non_ascii_mask, word_mask, write_places
from dq.text.kernels.bits import load_u64, multiply_fold, nonnegative, trailing_zeros
from dq.text.kernels.flags import DIGIT, LETTER, MARK
from dq.text.kernels.jit import inlined, kernel

__all__ = ["WORD_SLACK", "fold", "scratch_bytes", "split_characters", "split_words"]

Array = np.ndarray[Any, Any]

WORD_CLASS = LETTER | MARK | DIGIT
SPACE = 0x20
PADDING = 2 * BLOCK
WORD_SLACK = 40  # words that a block may add to a nearly full buffer

SALT_A = np.uint64(0xA0761D6478BD642F)
SALT_B = np.uint64(0xE7037ED1A0B428DB)
SALT_C = np.uint64(0x8EBC6AF09C88C6E3)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
BYTE = np.uint64(8)
TOP_BIT = np.uint64(BLOCK - 1)
# What the two 8-byte loads of a word of 0 to 16 bytes keep.
LOW_MASKS = np.array([(1 << (8 * min(size, 8))) - 1 for size in range(17)], np.uint64)
HIGH_MASKS = np.array([(1 << (8 * max(size - 8, 0))) - 1 for size in range(17)], np.uint64)


@inlined
def scratch_bytes(longest: int) -> int:
    """Bytes of scratch for a document: lower case can turn two bytes into three (U+023A), and blocks overhang."""
    return longest + longest // 2 + PADDING


@kernel
def _fold_code_point(data: Array, i: int, end: int, scratch: Array, j: int, classes: Array, lower: Array) -> Any:
    """Fold one code point at ``data[i]``; returns the next i and j. Broken UTF-8 is a separator."""
    first = np.int64(data[i])
    size = 1
    code = first
    if first >= 0xF8:
        scratch[j] = SPACE
        return i + 1, j + 1
    if first >= 0xF0:
        size, code = 4, first & 0x07
    elif first >= 0xE0:
        size, code = 3, first & 0x0F
    elif first >= 0xC0:
        size, code = 2, first & 0x1F
    elif first >= 0x80:
        scratch[j] = SPACE
        return i + 1, j + 1
    if i + size > end:
        scratch[j] = SPACE
        return end, j + 1
    for k in range(1, size):
        following = np.int64(data[i + k])
        if following & 0xC0 != 0x80:
            scratch[j] = SPACE
            return i + k, j + 1
        code = (code << 6) | (following & 0x3F)
    if code > 0x10FFFF or (classes[code] & WORD_CLASS) == 0:
        scratch[j] = SPACE
        return i + size, j + 1
    code = np.int64(lower[code])
    if code < 0x80:
        scratch[j] = code
        return i + size, j + 1
    if code < 0x800:
        scratch[j] = 0xC0 | (code >> 6)
        scratch[j + 1] = 0x80 | (code & 0x3F)
        return i + size, j + 2
    if code < 0x10000:
        scratch[j] = 0xE0 | (code >> 12)
        scratch[j + 1] = 0x80 | ((code >> 6) & 0x3F)
        scratch[j + 2] = 0x80 | (code & 0x3F)
        return i + size, j + 3
    scratch[j] = 0xF0 | (code >> 18)
    scratch[j + 1] = 0x80 | ((code >> 12) & 0x3F)
    scratch[j + 2] = 0x80 | ((code >> 6) & 0x3F)
    scratch[j + 3] = 0x80 | (code & 0x3F)
    return i + size, j + 4


@kernel
def _patch(data: Array, i: int, scratch: Array, j: int, mask: Any, classes: Array, lower: Array) -> Any:
    """Replace the foreign bytes of a folded block by their folded code points, if those take as many bytes.

    ``mask`` has a bit for each byte from 0x80 on. A separator becomes as many spaces as it has bytes, which means the
    same as one. Returns how far the block is done: up to a code point that changes its length, is broken, or reaches
    out of the block.
    """
    while mask != 0:
        at = trailing_zeros(mask)
        first = np.int64(data[i + at])
        size = 2
        code = first & 0x1F
        if first >= 0xF0:
            size, code = 4, first & 0x07
        elif first >= 0xE0:
            size, code = 3, first & 0x0F
        run = (ONE << np.uint64(size)) - ONE
        if first < 0xC0 or first >= 0xF8 or at + size > BLOCK or (mask >> np.uint64(at)) & run != run:
            return at
        for k in range(1, size):
            following = np.int64(data[i + at + k])
            if following >= 0xC0:
                return at
            code = (code << 6) | (following & 0x3F)
        mask &= ~(run << np.uint64(at))
        if code > 0x10FFFF or (classes[code] & WORD_CLASS) == 0:
            for k in range(at, at + size):
                scratch[j + k] = SPACE
            continue
        lowered = np.int64(lower[code])
        if lowered == code:
            for k in range(at, at + size):
                scratch[j + k] = data[i + k]
            continue
        _, end = _fold_code_point(data, i + at, i + at + size, scratch, j + at, classes, lower)
        if end - j - at != size:
            return at
    return BLOCK


@kernel
def fold(data: Array, begin: int, end: int, scratch: Array, classes: Array, lower: Array) -> int:
    """Fold ``data[begin:end]`` into ``scratch``, followed by two blocks of spaces; returns the folded length.

    Separators may become more than one space.
    """
    i, j = begin, 0
    while i < end:
        rest = min(BLOCK, end - i)
        inside = ALL >> np.uint64(BLOCK - rest)
        if i + BLOCK <= data.size:
            # Reads on into the next text of the same buffer, and drops what it finds there.
            foreign = non_ascii_mask(data, i) & inside
            fold_block(data, i, scratch, j)
        else:
            # Nothing is promised behind the buffer: its last bytes are copied first.
            for k in range(rest):
                scratch[j + k] = data[i + k]
            foreign = non_ascii_mask(scratch, j) & inside
            fold_block(scratch, j, scratch, j)
        done = rest
        if foreign != 0:
            done = min(rest, _patch(data, i, scratch, j, foreign, classes, lower))
        i += done
        j += done
        if done < rest:
            i, j = _fold_code_point(data, i, end, scratch, j, classes, lower)
    for k in range(j, j + PADDING):
        scratch[k] = SPACE
    return j


@kernel
def _hash_long(scratch: Array, start: int, size: int) -> Any:
    """Hash of a word of more than 16 bytes."""
    state = SALT_A
    k = 0
    while size - k > 16:
        state = multiply_fold(load_u64(scratch, start + k) ^ state, load_u64(scratch, start + k + 8) ^ SALT_B)
        k += 16
    rest = size - k
    low = load_u64(scratch, start + k) & LOW_MASKS[rest]
    high = load_u64(scratch, start + k + 8) & HIGH_MASKS[rest]
    return multiply_fold(multiply_fold(low ^ state, high ^ SALT_B), SALT_C)


@kernel
def split_words(scratch: Array, length: int, position: int, out: Array, filled: int, edges: Array) -> Any:
    """Hash words from ``position`` on into ``out[filled:]`` until it is nearly full or the text ends.

    The places where words begin and end go, alternating, to ``edges`` (uint32, twice as long as ``out``), whatever
    their number without a branch: that cannot be predicted.
    Returns the filled length and where to go on, outside any word; ``position >= length`` means the end.
    """
    room = 2 * (out.size - WORD_SLACK - filled)
    found = 0
    inside = np.uint64(0)
    block: Any = position
    while block < length and found < room:
        mask = word_mask(scratch, block)
        changes = mask ^ ((mask << ONE) | inside)
        inside = mask >> TOP_BIT
        found = write_places(changes, edges, found, block)
        block += BLOCK
    if found & 1:
        # The last word goes on behind the block: it ends with the text, or is taken up again from its beginning.
        if block >= length:
            edges[found] = length
            found += 1
        else:
            found -= 1
            block = np.int64(edges[found])
    words = found >> 1
    for k in range(words):
        start = nonnegative(np.int64(edges[2 * k]))
        size = nonnegative(np.int64(edges[2 * k + 1]) - start)
        if size <= 16:
            low = load_u64(scratch, start) & LOW_MASKS[size]
            high = load_u64(scratch, start + 8) & HIGH_MASKS[size]
            out[nonnegative(filled + k)] = multiply_fold(multiply_fold(low ^ SALT_A, high ^ SALT_B), SALT_C)
        else:
            out[nonnegative(filled + k)] = _hash_long(scratch, start, size)
    return filled + words, block


@kernel
def split_characters(scratch: Array, length: int, position: int, out: Array, filled: int) -> Any:
    """Like :func:`split_words`, one hash a character; a run of separators is one space, none at either end."""
    capacity = out.size - WORD_SLACK
    i = position
    while i < length:
        gap = i
        while i < length and scratch[i] == SPACE:
            i += 1
        if i == length:
            break
        if i > gap > 0:
            if filled + 1 >= capacity:
                return filled, gap
            out[filled] = multiply_fold(np.uint64(SPACE) ^ SALT_A, SALT_C)
            filled += 1
        if filled == capacity:
            return filled, i
        code = np.uint64(scratch[i])
        i += 1
        while (scratch[i] & 0xC0) == 0x80:
            code = (code << BYTE) | np.uint64(scratch[i])
            i += 1
        out[filled] = multiply_fold(multiply_fold(code ^ SALT_A, SALT_B), SALT_C)
        filled += 1
    return filled, length
