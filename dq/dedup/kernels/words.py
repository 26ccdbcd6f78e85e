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

from dq.arrays import I32, U8, U32, U64
from dq.dedup.kernels.minhash_vectors import fold_block, non_ascii_mask, word_mask, write_places
from dq.text.kernels.bits import load_u64, multiply_fold, nonnegative, trailing_zeros
from dq.text.kernels.blocks import BLOCK
from dq.text.kernels.flags import DIGIT, LETTER, MARK
from dq.text.kernels.hash import ALL, NONE, SECRET, SECRET_2, SECRET_3, fold_blocks
from dq.text.kernels.jit import inlined, kernel
from dq.text.kernels.utf8 import decode_any, encode

WORD_CLASS = LETTER | MARK | DIGIT
SPACE = 0x20
PADDING = 2 * BLOCK
WORD_SLACK = 40  # words that a block may add to a nearly full buffer

ONE = np.uint64(1)
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
def _fold_code_point(data: U8, i: int, end: int, scratch: U8, j: int, classes: U8, lower: I32) -> Any:
    """Fold one code point at ``data[i]``; returns the next i and j. Broken UTF-8 is a separator."""
    code, after = decode_any(data, i, end)
    if code < 0 or (classes[code] & WORD_CLASS) == 0:
        scratch[j] = SPACE
        return after, j + 1
    return after, encode(lower[code], scratch, j)


@kernel
def _patch(data: U8, i: int, end: int, scratch: U8, j: int, mask: np.uint64, classes: U8, lower: I32) -> int:
    """Replace the foreign bytes of a folded block by their folded code points, if those take as many bytes.

    ``mask`` has a bit for each byte from 0x80 on, the block's text ends at ``end``. A separator becomes as many spaces
    as it has bytes, which means the same as one. Returns how far the block is done: up to a code point that changes its
    length, is broken, or reaches out of the block.
    """
    while mask != 0:
        at = trailing_zeros(mask)
        code, after = decode_any(data, i + at, end)
        if code < 0:
            return at
        size = after - i - at
        mask &= ~(((ONE << np.uint64(size)) - ONE) << np.uint64(at))
        if (classes[code] & WORD_CLASS) == 0:
            for k in range(at, at + size):
                scratch[j + k] = SPACE
            continue
        lowered = int(lower[code])
        if lowered == code:
            for k in range(at, at + size):
                scratch[j + k] = data[i + k]
        elif encode(lowered, scratch, j + at) != j + at + size:
            return at
    return BLOCK


@kernel
def fold(data: U8, begin: int, end: int, scratch: U8, classes: U8, lower: I32) -> int:
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
            done = min(rest, _patch(data, i, i + rest, scratch, j, foreign, classes, lower))
        i += done
        j += done
        if done < rest:
            i, j = _fold_code_point(data, i, end, scratch, j, classes, lower)
    for k in range(j, j + PADDING):
        scratch[k] = SPACE
    return j


@kernel
def _hash_long(scratch: U8, start: int, size: int) -> np.uint64:
    """Hash of a word of more than 16 bytes."""
    state = SECRET
    k = 0
    while size - k > 16:
        state = multiply_fold(load_u64(scratch, start + k) ^ state, load_u64(scratch, start + k + 8) ^ SECRET_2)
        k += 16
    return _hash_end(scratch, start + k, size - k, state)


@inlined
def _hash_end(scratch: U8, start: int, size: int, state: np.uint64) -> np.uint64:
    """The hash of up to 16 bytes, after what ``state`` stands for."""
    low, high = load_u64(scratch, start) & LOW_MASKS[size], load_u64(scratch, start + 8) & HIGH_MASKS[size]
    return fold_blocks(low, high, state)


@kernel
def split_words(scratch: U8, length: int, position: int, out: U64, filled: int, edges: U32) -> Any:
    """Hash words from ``position`` on into ``out[filled:]`` until it is nearly full or the text ends.

    The places where words begin and end go, alternating, to ``edges`` (twice as long as ``out``), whatever
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
        hashed = _hash_end(scratch, start, size, SECRET) if size <= 16 else _hash_long(scratch, start, size)
        out[nonnegative(filled + k)] = hashed
    return filled + words, block


@kernel
def split_characters(scratch: U8, length: int, position: int, out: U64, filled: int) -> Any:
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
            out[filled] = multiply_fold(np.uint64(SPACE) ^ SECRET, SECRET_3)
            filled += 1
        if filled == capacity:
            return filled, i
        code = np.uint64(scratch[i])
        i += 1
        while (scratch[i] & 0xC0) == 0x80:
            code = (code << BYTE) | np.uint64(scratch[i])
            i += 1
        out[filled] = fold_blocks(code, NONE, SECRET)
        filled += 1
    return filled, length
