"""From canonical text to the hashes of its units.

Step one folds a document into a scratch buffer, as its normalisation has it (`dq.dedup.normalization`): runs of what
counts, and spaces between them. Step two finds the runs there with 64-byte masks, sets aside the punctuation at their
ends and hashes each from two masked 8-byte loads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dq.arrays import I32, U8, U32, U64
from dq.dedup.kernels.canonical import PADDING
from dq.dedup.kernels.minhash_vectors import (
    code_mask,
    copy_block,
    fold_block,
    lower_block,
    non_ascii_mask,
    visible_mask,
    word_mask,
    write_places,
)
from dq.text.kernels.bits import count_ones, load_u64, multiply_fold, nonnegative, trailing_zeros, unlikely
from dq.text.kernels.blocks import BLOCK
from dq.text.kernels.hash import NONE, SECRET, SECRET_2, SECRET_3, fold_blocks
from dq.text.kernels.jit import inlined, kernel, plain_kernel
from dq.text.kernels.nfc import NfcTables
from dq.text.kernels.utf8 import decode_any, encode

WORDS, FOLDED, WRITTEN, MEANING = range(4)  # normalisations; MEANING is FOLDED or WRITTEN, text by text
ALONE = 1  # a letter that is a unit of its own (Rules.alone)
ATTACHED = 2  # a mark that goes with it
CODE_SHARE = 16  # code has at least one character of code among so many visible ones
SPACE = 0x20
WORD_SLACK = 40  # words that a block may add to a nearly full buffer

ONE = np.uint64(1)
BYTE = np.uint64(8)
TOP_BIT = np.uint64(BLOCK - 1)
# What the two 8-byte loads of a word of 0 to 16 bytes keep.
LOW_MASKS = np.array([(1 << (8 * min(size, 8))) - 1 for size in range(17)], np.uint64)
HIGH_MASKS = np.array([(1 << (8 * max(size - 8, 0))) - 1 for size in range(17)], np.uint64)


class Rules(NamedTuple):
    """How a text becomes shingles."""

    ngram: int
    """Units in a shingle."""
    characters: bool
    """Units are characters, not runs of them."""
    mode: int
    """WORDS, FOLDED, WRITTEN or MEANING."""
    fold: I32
    """What is made of every code point, where it is not left as written; a space separates."""
    alone: U8
    """ALONE or ATTACHED for every code point; empty where no letter is a unit by itself."""
    edges: U8
    """Of every byte, whether it is set aside at the ends of a run."""
    canonical: NfcTables


@inlined
def folded_bytes(longest: int) -> int:
    """Room for a folded text: lower case can turn two bytes into three (U+023A), spaces go around lone letters."""
    return 2 * longest + PADDING


@plain_kernel
def looks_like_code(text: U8, length: int) -> bool:
    """Whether one in CODE_SHARE of the visible characters or more is one of ``{}[]()<>=;_*&|^~$#@+/`` or a backslash.

    ``text`` is canonical and padded with spaces.
    """
    code = visible = 0
    for at in range(0, length, BLOCK):
        code += count_ones(code_mask(text, at))
        visible += count_ones(visible_mask(text, at))
    return CODE_SHARE * code >= visible


@plain_kernel
def hash_text(text: U8, length: int) -> np.uint64:
    """64-bit hash of canonical, padded text; 0 of nothing. Four chains, since each waits for its product."""
    if length == 0:
        return NONE
    a, b, c, d = SECRET, SECRET_2, SECRET_3, SECRET ^ SECRET_3
    for at in range(0, length, BLOCK):  # no canonical text ends in a space, so padding tells nothing
        a = multiply_fold(load_u64(text, at) ^ SECRET_2, load_u64(text, at + 8) ^ a)
        b = multiply_fold(load_u64(text, at + 16) ^ SECRET_2, load_u64(text, at + 24) ^ b)
        c = multiply_fold(load_u64(text, at + 32) ^ SECRET_2, load_u64(text, at + 40) ^ c)
        d = multiply_fold(load_u64(text, at + 48) ^ SECRET_2, load_u64(text, at + 56) ^ d)
    return fold_blocks(multiply_fold(a ^ SECRET, b), multiply_fold(c ^ SECRET, d), np.uint64(length)) | ONE


@inlined
def _fold_code_point(text: U8, i: int, length: int, out: U8, j: int, rules: Rules, mode: int) -> Any:
    """Fold one code point at ``text[i]``, a lone letter with its marks; returns the next i and j.

    Broken UTF-8 separates words, or stays as it is.
    """
    code, after = decode_any(text, i, length)
    if code < 0:
        for k in range(i, after):
            out[j] = SPACE if mode == WORDS else text[k]
            j += 1
        return after, j
    if rules.alone.size == 0 or rules.alone[code] != ALONE:
        return after, encode(code if mode == WRITTEN else rules.fold[code], out, j)
    if j > 0 and out[j - 1] != SPACE:
        out[j] = SPACE
        j += 1
    while True:
        j = encode(code if mode == WRITTEN else rules.fold[code], out, j)
        i = after
        if i < length:
            code, after = decode_any(text, i, length)
        if i >= length or code < 0 or rules.alone[code] != ATTACHED:
            out[j] = SPACE
            return i, j + 1


@inlined
def _fold_in_place(text: U8, i: int, length: int, out: U8, j: int, mask: np.uint64, rules: Rules, mode: int) -> int:
    """Replace the foreign bytes of a folded block by their folded code points, if those take as many bytes.

    ``mask`` has a bit for each byte from 0x80 on. A separator becomes as many spaces as it has bytes. Returns how far
    the block is done: up to a lone letter, or a code point that changes its length, is broken, or reaches out.
    """
    while mask != 0:
        at = trailing_zeros(mask)
        code, after = decode_any(text, i + at, length)
        size = after - i - at
        if code < 0 or at + size > BLOCK or (rules.alone.size and rules.alone[code] == ALONE):
            return at
        mask &= ~(((ONE << np.uint64(size)) - ONE) << np.uint64(at))
        folded = code if mode == WRITTEN else int(rules.fold[code])
        if folded == code:
            for k in range(at, at + size):
                out[j + k] = text[i + k]
        elif folded == SPACE:
            for k in range(at, at + size):
                out[j + k] = SPACE
        elif encode(folded, out, j + at) != j + at + size:
            return at
    return BLOCK


@inlined
def _fold_ascii(text: U8, i: int, out: U8, j: int, mode: int) -> None:
    if mode == WORDS:
        fold_block(text, i, out, j)
    elif mode == FOLDED:
        lower_block(text, i, out, j)
    else:
        copy_block(text, i, out, j)


@plain_kernel
def fold(text: U8, length: int, out: U8, rules: Rules, mode: int) -> int:
    """Fold canonical, padded text into ``out``, followed by two blocks of spaces; returns the folded length."""
    i, j = 0, 0
    while i < length:
        # ASCII first: where the next block begins depends on nothing in this one.
        while i + BLOCK <= length and non_ascii_mask(text, i) == 0:
            _fold_ascii(text, i, out, j, mode)
            i += BLOCK
            j += BLOCK
        foreign = non_ascii_mask(text, i)
        _fold_ascii(text, i, out, j, mode)
        rest = min(BLOCK, length - i)
        done = min(rest, _fold_in_place(text, i, length, out, j, foreign, rules, mode)) if foreign else rest
        i += done
        j += done
        while done < rest and i < length and text[i] >= 0x80:
            i, j = _fold_code_point(text, i, length, out, j, rules, mode)
    for k in range(j, j + PADDING):
        out[k] = SPACE
    return j


@inlined
def _from(text: U8, start: int, end: int, edges: U8) -> int:
    """Where a run begins without the punctuation before it; a point or comma before a digit stays."""
    while start < end and edges[text[start]]:
        byte = text[start]
        if ((byte == 0x2E) | (byte == 0x2C)) and start + 1 < end and 0x30 <= text[start + 1] <= 0x39:
            break
        start += 1
    return start


@inlined
def _until(text: U8, start: int, end: int, edges: U8) -> int:
    """Where a run ends without the punctuation behind it."""
    end -= (start < end) & (edges[text[end - 1]] != 0)  # one in eight has some: no branch could guess which
    while unlikely(start < end and edges[text[end - 1]] != 0):
        end -= 1
    return end


@plain_kernel
def blank_edges(text: U8, length: int, edges: U8) -> None:
    """Put spaces in place of the punctuation at the ends of all runs."""
    start = 0
    while start < length:
        end = start
        while end < length and text[end] != SPACE:
            end += 1
        first = _from(text, start, end, edges)
        last = _until(text, first, end, edges)
        for k in range(start, first):
            text[k] = SPACE
        for k in range(last, end):
            text[k] = SPACE
        start = end + 1


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
def split_words(scratch: U8, length: int, position: int, out: U64, filled: int, edges: U32, trim: U8) -> Any:
    """Hash words from ``position`` on into ``out[filled:]`` until it is nearly full or the text ends.

    The places where words begin and end go, alternating, to ``edges`` (twice as long as ``out``), whatever
    their number without a branch: that cannot be predicted. Of each the bytes of the table ``trim`` (empty: none) are
    set aside at both ends; of what consists of them nothing is left.
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
        end = nonnegative(np.int64(edges[2 * k + 1]))
        if trim.size:
            start = nonnegative(_from(scratch, start, end, trim))
            end = _until(scratch, start, end, trim)
        size = nonnegative(end - start)
        hashed = _hash_end(scratch, start, size, SECRET) if size <= 16 else _hash_long(scratch, start, size)
        out[nonnegative(filled)] = hashed
        filled += size > 0
    return filled, block


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
