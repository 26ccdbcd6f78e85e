"""Words of a batch of documents: walk from white space to white space, take the common chunks on short paths.

About 85 % of the chunks of English text are letters only, or letters and one mark; those need a few bit operations and
one hash. Everything else goes through ``kernels.chunk``. What the short paths write is what the long one would.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U64
from dq.text.kernels.affixes import IS_SPECIAL, look_up
from dq.text.kernels.bits import nonnegative, trailing_zeros, unlikely
from dq.text.kernels.blocks import DIGIT, HIGH, LETTER, PLAIN, SPACE, UPPER
from dq.text.kernels.chunk import append_pieces, split_chunk
from dq.text.kernels.flags import (
    ALL_CAPS,
    ALPHABETIC,
    AT_BOTH_ENDS,
    AT_END,
    AT_START,
    IS_DOT,
    IS_WORD,
    UNDESCRIBED,
    TextTables,
    WordArrays,
)
from dq.text.kernels.hash import hash_bytes, hash_letters, hash_pair
from dq.text.kernels.jit import inlined, part, plain_kernel
from dq.text.kernels.scan import bits_at, low_bits

ONE = np.uint64(1)
MAX_SHORT_BYTES = 64  # longer chunks take the long path
LONG_PATH, WHOLE, LETTERS, MARK = 0, 1, 2, 3
APOSTROPHE, SMALL_S = 0x27, 0x73


@plain_kernel
def split_batch(
    data: U8,
    offsets: I64,
    rows: tuple[int, int],
    unicode_words: bool,
    masks: U64,
    tables: TextTables,
    words: WordArrays,
) -> int:
    """Split the documents ``rows[0]:rows[1]``, whose masks start at the first one's first byte.

    words: WordArrays with room for as many words as there are bytes; bounds (int64) gets the first word of every
    document and the end of the last. Starts and ends are positions in ``data``. Words that the short paths did not
    describe are flagged UNDESCRIBED.
    """
    count = 0
    base = offsets[rows[0]]
    space = masks[SPACE]
    for row in range(rows[0], rows[1]):
        words.bounds[row - rows[0]] = count
        start, end = nonnegative(offsets[row] - base), nonnegative(offsets[row + 1] - base)
        carry, begin = np.uint64(0), -1
        # The block that holds the end is always visited: a chunk that reaches the end has its last edge there.
        for block in range(start >> 6, (end >> 6) + 1):
            inside = ~space[block]
            if block == start >> 6:
                inside &= ~low_bits(start & 63)
            if block == end >> 6:
                inside &= low_bits(end & 63)
            edges = inside ^ ((inside << ONE) | carry)
            carry = inside >> np.uint64(63)
            while edges:
                at = (block << 6) + trailing_zeros(edges)
                edges &= edges - ONE
                if begin < 0:
                    begin = at
                else:
                    count = _chunk(data, base, begin, at, unicode_words, masks, tables, words, count)
                    begin = -1
    words.bounds[rows[1] - rows[0]] = count
    return count


@part
def _chunk(
    data: U8,
    base: int,
    at: int,
    stop: int,
    unicode_words: bool,
    masks: U64,
    tables: TextTables,
    words: WordArrays,
    count: int,
) -> int:
    """Append the words of one chunk; ``at`` and ``stop`` count from ``base``."""
    start, end = nonnegative(base + nonnegative(at)), nonnegative(base + stop)
    count = nonnegative(count)
    before, after, path = _choose_path(data, start, end, at, unicode_words, masks, tables)
    if unlikely(path == LONG_PATH):
        return _long_path(data, start, end, tables, words, count)
    if path == WHOLE:
        words.starts[count], words.ends[count], words.flags[count] = start, end, UNDESCRIBED
        return count + 1
    if path == MARK:
        _mark(data[start], start, tables, words, count)
        return count + 1
    if before:
        _mark(data[start], start, tables, words, count)
        count = nonnegative(count + 1)
    count = _letters(data, base, start + before, end - after, masks, tables, words, count)
    count = nonnegative(count)
    if after == 1:
        _mark(data[end - 1], end - 1, tables, words, count)
        count += 1
    elif after:
        words.starts[count], words.ends[count], words.flags[count] = end - after, end, UNDESCRIBED
        count += 1
    return count


@part
def _choose_path(
    data: U8, start: int, end: int, at: int, unicode_words: bool, masks: U64, tables: TextTables
) -> tuple[int, int, int]:
    """Bytes to cut off before and after a chunk of letters, and the path to take."""
    size = end - start
    if not unicode_words:
        return 0, 0, WHOLE
    if size == 1:
        return 0, 1, MARK if data[start] < 0x80 else LONG_PATH
    if unlikely(size > MAX_SHORT_BYTES):
        return 0, 0, LONG_PATH
    if bits_at(masks[LETTER], at, size) == low_bits(size):
        return 0, 0, LETTERS
    marks = ~bits_at(masks[PLAIN], at, size) & low_bits(size)
    if unlikely((masks[HIGH, at >> 6] | masks[HIGH, (at + size - 1) >> 6]) != 0) and bits_at(masks[HIGH], at, size):
        # No special case is made of characters that take part in no rule.
        return 0, 0, LONG_PATH if marks else WHOLE
    if marks == low_bits(size) and size > 1:
        return 0, 0, WHOLE if bits_at(masks[DIGIT], at, size) == marks else LONG_PATH
    if marks == ONE << np.uint64(size - 1):
        return 0, 1, LETTERS if _cuts_after(data, start, end, tables) else LONG_PATH
    if marks == ONE << np.uint64(size - 2) and data[end - 2] == APOSTROPHE and data[end - 1] | 0x20 == SMALL_S:
        special = size < 3 or look_up(hash_bytes(data, start, end), tables.lexicon) & IS_SPECIAL
        return 0, 2, LONG_PATH if special else LETTERS
    if marks == ONE and tables.ascii_kinds[data[start]] & AT_START:
        return 1, 0, LETTERS
    return 0, 0, LONG_PATH


@part
def _cuts_after(data: U8, start: int, end: int, tables: TextTables) -> bool:
    """Whether the mark after ASCII letters is cut off."""
    kind = tables.ascii_kinds[data[end - 1]]
    if end - start < 2 or not kind & AT_END:
        return False
    # A dot stays after one capital alone, or a capital after a small letter.
    if kind & IS_DOT and data[end - 2] < 0x61 and (end - start < 3 or data[end - 3] >= 0x61):
        return False
    if kind & IS_DOT and look_up(hash_bytes(data, start, end - 1), tables.lexicon) & IS_SPECIAL:
        return False  # "id." is split into "i" and "d.", which takes the dot back
    return not (kind & AT_BOTH_ENDS and look_up(hash_bytes(data, start, end), tables.lexicon) & IS_SPECIAL)


@part
def _letters(
    data: U8, base: int, start: int, end: int, masks: U64, tables: TextTables, words: WordArrays, count: int
) -> int:
    """ASCII letters only: one word, or a contraction such as `cannot`."""
    key, capitals = hash_letters(data, start, end)
    found = look_up(key, tables.lexicon)
    if unlikely((found & IS_SPECIAL) != 0) and (found & np.uint64(7)) != ONE:
        until = append_pieces(found, start, words.starts, words.ends, count)
        for k in range(count, until):
            words.flags[k] = UNDESCRIBED
        return until
    words.starts[count] = start
    words.ends[count] = end
    words.chars[count] = end - start
    words.flags[count] = ALPHABETIC | IS_WORD
    words.hashes[count] = words.folded[count] = key
    if unlikely(capitals):
        _, words.folded[count] = hash_pair(data, start, end)
        if bits_at(masks[UPPER], start - base, end - start) == low_bits(end - start):
            words.flags[count] |= ALL_CAPS
    return count + 1


@inlined
def _mark(mark: int, start: int, tables: TextTables, words: WordArrays, count: int) -> None:
    """One ASCII character, described by table."""
    words.starts[count] = start
    words.ends[count] = start + 1
    words.chars[count] = 1
    words.flags[count] = tables.ascii_flags[mark]
    words.hashes[count] = tables.ascii_hashes[0, mark]
    words.folded[count] = tables.ascii_hashes[1, mark]


@inlined
def _long_path(data: U8, start: int, end: int, tables: TextTables, words: WordArrays, count: int) -> int:
    """The whole procedure; single ASCII characters are described at once."""
    until = split_chunk(data, start, end, tables.roles, tables.classes, tables.lexicon, words.starts, words.ends, count)
    for k in range(count, until):
        at = words.starts[k]
        if words.ends[k] - at == 1 and data[at] < 0x80:
            _mark(data[at], at, tables, words, k)
        else:
            words.flags[k] = UNDESCRIBED
    return until
