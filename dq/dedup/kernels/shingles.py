"""From word hashes to shingles: rolling n-gram hashes, and the sorted set of a document's shingles.

The hash of an n-gram is a polynomial in its word hashes modulo 2^64. Word hashes are 64 random-looking bits, so two
different n-grams collide with probability 2^-64. A document with fewer than n words is one shingle of all its words;
one without words is one shingle, its text; one of white space alone has none. Two sums of mixed shingle hashes are the
document's 128-bit key: documents with equal keys have equal shingles (Jaccard 1), so they are worked on once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.arrays import I64, U8, U64
from dq.dedup.kernels.canonical import canonical_bytes, canonicalise
from dq.dedup.kernels.minhash_vectors import FIRST_KEY, NGRAM_FACTOR, SECOND_KEY
from dq.dedup.kernels.words import (
    FOLDED,
    MEANING,
    WORD_SLACK,
    WRITTEN,
    Rules,
    blank_edges,
    fold,
    folded_bytes,
    hash_text,
    looks_like_code,
    split_characters,
    split_words,
)
from dq.text.kernels.jit import inlined, kernel

CHUNK = 2048  # word hashes held at a time: 16 kB, so that any document streams through the first-level cache
FACTOR = np.uint64(NGRAM_FACTOR)
FIRST = np.uint64(FIRST_KEY)
SECOND = np.uint64(SECOND_KEY)
HALF = np.uint64(32)
LARGE_SLOT = 24  # a slot of the counting sort with more values than this is sorted as a heap


@kernel
def longest_text(offsets: I64, chosen: I64) -> int:
    """Bytes of the longest chosen document."""
    longest = 0
    for d in chosen:
        longest = max(longest, offsets[d + 1] - offsets[d])
    return longest


@kernel
def read_units(data: U8, begin: int, end: int, rules: Rules, canonical: U8, folded: U8) -> Any:
    """Fold a document: its folded length, the hash of its canonical text (0 of white space), what to trim words by."""
    size = canonicalise(data, begin, end, canonical, rules.canonical)
    key = hash_text(canonical, size)
    mode = rules.mode
    if mode == MEANING:
        mode = WRITTEN if looks_like_code(canonical, size) else FOLDED
    length = fold(canonical, size, folded, rules, mode)
    trim = rules.edges if mode == FOLDED else rules.edges[:0]
    if rules.characters and trim.size:
        blank_edges(folded, length, trim)
    return length, key, trim


@inlined
def combine(words: U64, filled: int, ngram: int, out: U64) -> int:
    """Write the n-gram hashes of ``words[:filled]``, returns how many; with fewer than n words there are none."""
    if filled == 0 or filled < ngram:
        return 0
    count = filled - ngram + 1
    # One pass a word of the n-gram over first-level cache: no chain between shingles, so it runs in vectors.
    for k in range(count):
        out[k] = words[k]
    for j in range(1, ngram):
        for k in range(count):
            out[k] = out[k] * FACTOR + words[k + j]
    return count


@inlined
def key_sums(grams: U64, count: int) -> tuple[np.uint64, np.uint64]:
    """Two sums over ``grams[:count]`` of differently mixed values: the same for the same shingles in any order."""
    first = second = np.uint64(0)
    for k in range(count):
        value = (grams[k] ^ (grams[k] >> HALF)) * FIRST
        value ^= value >> HALF
        first += value
        value *= SECOND
        second += value ^ (value >> HALF)
    return first, second


@kernel
def _heap_sort(values: U64, begin: int, end: int) -> None:
    """Sort ``values[begin:end]`` in place: n log n whatever the values (and quick to compile, unlike numpy's)."""
    size = end - begin
    for round_ in range(size // 2 + size - 1):
        if round_ < size // 2:
            top, limit = size // 2 - 1 - round_, size
        else:
            top, limit = 0, size - 1 - (round_ - size // 2)
            values[begin], values[begin + limit] = values[begin + limit], values[begin]
        while 2 * top + 1 < limit:
            child = 2 * top + 1
            if child + 1 < limit and values[begin + child] < values[begin + child + 1]:
                child += 1
            if values[begin + top] >= values[begin + child]:
                break
            values[begin + top], values[begin + child] = values[begin + child], values[begin + top]
            top = child


@kernel
def sort_unique(values: U64, count: int, work: U64, slots: I64) -> int:
    """Sort ``values[:count]`` in place and drop repeats; returns the new count.

    Shingle hashes are uniform, so one counting pass over their top bits leaves slots of about one value for insertion
    sort: linear time. Repeated or adversarial values fill large slots, which fall back to a comparison sort.
    """
    if count < 2:
        return count
    bits = 1
    while (1 << bits) < count and (2 << bits) < slots.size:
        bits += 1
    shift = np.uint64(64 - bits)
    size = 1 << bits
    for k in range(size + 1):
        slots[k] = 0
    for k in range(count):
        slots[np.int64(values[k] >> shift) + 1] += 1
    for k in range(size):
        slots[k + 1] += slots[k]
    for k in range(count):
        place = np.int64(values[k] >> shift)
        work[slots[place]] = values[k]
        slots[place] += 1
    unique = 0
    begin = 0
    for slot in range(size):
        end = slots[slot]
        if end - begin > LARGE_SLOT:
            _heap_sort(work, begin, end)
        else:
            for k in range(begin + 1, end):
                value = work[k]
                m = k - 1
                while m >= begin and work[m] > value:
                    work[m + 1] = work[m]
                    m -= 1
                work[m + 1] = value
        for k in range(begin, end):
            if unique == 0 or values[unique - 1] != work[k]:
                values[unique] = work[k]
                unique += 1
        begin = end
    return unique


@kernel
def shingle_documents(data: U8, offsets: I64, chosen: I64, rules: Rules, starts: I64, lengths: I64, out: U64) -> None:
    """Write the sorted unique shingles of each chosen document to ``out[starts[i]:]``, their number to ``lengths[i]``.

    Where ``out`` is empty only upper bounds are counted (repeats included): call once to count, once to fill.
    """
    counting, ngram = out.size == 0, rules.ngram
    canonical = np.empty(canonical_bytes(longest_text(offsets, chosen)), np.uint8)
    scratch = np.empty(folded_bytes(canonical.size), np.uint8)
    words = np.empty(CHUNK + ngram + WORD_SLACK, np.uint64)
    grams = np.empty(CHUNK + ngram + WORD_SLACK, np.uint64)
    edges = np.empty(2 * words.size, np.uint32)
    work = np.empty(0, np.uint64)
    slots = np.empty(0, np.int64)
    for i in range(chosen.size):
        d = chosen[i]
        length, key, trim = read_units(data, offsets[d], offsets[d + 1], rules, canonical, scratch)
        position = filled = seen = count = 0
        while True:
            before = filled
            if rules.characters:
                filled, position = split_characters(scratch, length, position, words, filled)
            else:
                filled, position = split_words(scratch, length, position, words, filled, edges, trim)
            seen += filled - before
            ended = position >= length
            if ended and seen == 0 and key != 0:
                words[0] = key  # the only "word" of a document without any
                filled = 1
            found = combine(words, filled, min(filled, ngram) if ended and seen < ngram else ngram, grams)
            if not counting:
                for k in range(found):
                    out[starts[i] + count + k] = grams[k]
            count += found
            if ended:
                break
            keep = min(ngram - 1, filled)
            for k in range(keep):
                words[k] = words[filled - keep + k]
            filled = keep
        if not counting:
            if count > work.size:
                work = np.empty(2 * count, np.uint64)
                slots = np.empty(8 * count, np.int64)
            count = sort_unique(out[starts[i] : starts[i] + count], count, work, slots)
        lengths[i] = count
