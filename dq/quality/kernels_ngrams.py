"""Repeated n-grams of words, exactly, hashing each position only while it can still repeat.

An n-gram can occur twice only where both (n-1)-grams inside it occur twice, so each pass looks only at the positions
that survived the one before. Prefix sums make the hash of any n-gram one multiplication. Identity is that of the
words: datatrove joins the duplicate n-grams without a space, so there ("ab", "c") equals ("a", "bc"); here it does not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dq.text.jit import helper, inlined, kernel, part
from dq.text.kernels_bits import nonnegative
from dq.text.kernels_hash import finish
from dq.text.word_flags import IS_WORD

__all__ = ["N_GRAM_COLUMNS", "NgramArrays", "measure_ngrams", "ngram_arrays"]

N_GRAM_COLUMNS = (
    "unique_word_fraction",
    "unigram_entropy_nats",
    "top_2_gram_char_fraction",
    "top_3_gram_char_fraction",
    "top_4_gram_char_fraction",
    "duplicate_5_gram_char_fraction",
    "duplicate_6_gram_char_fraction",
    "duplicate_7_gram_char_fraction",
    "duplicate_8_gram_char_fraction",
    "duplicate_9_gram_char_fraction",
    "duplicate_10_gram_char_fraction",
)


class NgramArrays(NamedTuple):
    """Scratch of one document: what is known of each place where an n-gram may still repeat."""

    prefix: Any
    """uint64, words + 1: hash of all words before."""
    prefix_chars: Any
    """int64, words + 1: characters of all words before."""
    positions: Any
    """int32: word at which a candidate begins."""
    first: Any
    """int32: first candidate of the same n-gram, -1 where there is no other."""
    counts: Any
    """int32: how often the n-gram occurs, at its first candidate."""


def ngram_arrays(words: int) -> NgramArrays:
    """Empty arrays for documents of at most this many words."""
    return NgramArrays(
        np.empty(words + 1, np.uint64),
        np.empty(words + 1, np.int64),
        np.empty(words + 1, np.int32),
        np.empty(words + 1, np.int32),
        np.empty(words + 1, np.int32),
    )


LONGEST = 10
LONGEST_TOP = 4  # counted for n = 2, 3, 4; greedily removed for n = 5 .. 10

BASE = np.uint64(0x9E3779B97F4A7C15)
# A slot of the table: generation (12 bits), hash tag (24 bits), candidate number (28 bits). A new pass raises the
# generation, so the table is never cleared; a tag that agrees is checked against the full 64-bit hash.
GENERATION_SHIFT = np.uint64(52)
LAST_GENERATION = 4095
TAG_MASK = np.uint64(0x000FFFFFF0000000)
INDEX_MASK = np.uint64(0x000000000FFFFFFF)
# c ln c of small counts: a logarithm a word would cost as much as the rest of its pass.
COUNT_LOGS = np.array([0.0] + [count * math.log(count) for count in range(1, 256)])


@kernel
def measure_ngrams(rows: Any, n_chars: Any, words: Any, scratch: Any, table: Any, state: Any, out: Any) -> None:
    """N_GRAM_COLUMNS (float64) of the documents ``rows[0]:rows[1]``; NaN where undefined.

    n_chars: int64, characters a document. scratch: NgramArrays with room for the longest document's words. table:
    uint64, a power of two, twice that room or more; state[0] is its generation; both live as long as the caller likes.
    """
    for row in range(rows[0], rows[1]):
        _measure(row - rows[0], n_chars, words, scratch, table, state, out[row])


@part
def _measure(local: Any, n_chars: Any, words: Any, scratch: Any, table: Any, state: Any, row: Any) -> None:
    begin, end = words.bounds[local], words.bounds[local + 1]
    n_words, total_chars = end - begin, n_chars[local]
    chars, flags = words.chars[begin:end], words.flags[begin:end]
    hashes, folded = words.hashes[begin:end], words.folded[begin:end]
    prefix, prefix_chars, positions = scratch.prefix, scratch.prefix_chars, scratch.positions
    first, counts = scratch.first, scratch.counts
    prefix[0] = 0
    prefix_chars[0] = 0
    for k in range(n_words):
        prefix[k + 1] = prefix[k] * BASE + hashes[k]
        prefix_chars[k + 1] = prefix_chars[k] + chars[k]
        positions[k] = k
    _count_words(n_words, flags, folded, first, counts, table, state, row)
    n_candidates, power = n_words, BASE
    for n in range(2, LONGEST + 1):
        power *= BASE
        n_candidates = _survivors(n_candidates, n_words - n + 1, positions, first)
        best = _find_repeats(n_candidates, n, power, prefix, positions, first, counts, table, state)
        if n <= LONGEST_TOP and n_words >= n:
            length = prefix_chars[n] + n - 1
            if best >= 0:
                at = positions[best]
                length = (prefix_chars[at + n] - prefix_chars[at] + n - 1) * counts[best]
            row[n] = length / total_chars
        elif n > LONGEST_TOP and n_words > 0:
            row[n] = _greedy_chars(n_candidates, n, prefix_chars, positions, first, counts) / total_chars


@inlined
def _next_generation(n_candidates: Any, table: Any, state: Any) -> Any:
    """Start a pass: the mask of the part of the table it uses. Twice as many slots as candidates, or more."""
    state[0] += 1
    if state[0] > LAST_GENERATION:
        table[:] = 0
        state[0] = 1
    size = 64
    while size < 2 * n_candidates:
        size *= 2
    return np.uint64(size - 1)


@helper
def _count_words(
    n_words: Any, flags: Any, folded: Any, first: Any, counts: Any, table: Any, state: Any, row: Any
) -> None:
    """One-grams in lower case: which repeat (a necessary condition for all longer ones), how many, their entropy."""
    mask = _next_generation(n_words, table, state)
    stamp = np.uint64(state[0]) << GENERATION_SHIFT
    total, distinct, repeated = 0, 0, 0.0
    for k in range(n_words):
        key = folded[k]
        tag = stamp | (key & TAG_MASK)
        slot = key & mask
        is_word = (flags[k] & IS_WORD) != 0
        total += is_word
        first[k] = -1
        counts[k] = 1
        while True:
            entry = table[slot]
            if entry < stamp:  # generations only rise, so this slot is from an earlier pass
                table[slot] = tag | np.uint64(k)
                distinct += is_word
                break
            if (entry & ~INDEX_MASK) == tag:
                other = np.int64(entry & INDEX_MASK)
                if folded[other] == key:
                    first[other] = other
                    first[k] = other
                    count = np.int64(counts[other]) + 1
                    counts[other] = count
                    repeated += _count_log(count) - _count_log(count - 1) if is_word else 0.0
                    break
            slot = (slot + np.uint64(1)) & mask
    if total:
        row[0] = distinct / total
        row[1] = max(0.0, math.log(total) - repeated / total)


@inlined
def _count_log(count: Any) -> Any:
    """The summand c ln c of an entropy."""
    return COUNT_LOGS[nonnegative(count)] if count < COUNT_LOGS.shape[0] else count * math.log(count)


@part
def _survivors(n_candidates: Any, n_positions: Any, positions: Any, first: Any) -> Any:
    """Keep the candidates whose (n-1)-gram repeats and whose right neighbour's does too; in place, sorted."""
    kept = 0
    for k in range(n_candidates - 1):
        at = positions[k]
        repeats = (first[k] >= 0) & (first[k + 1] >= 0)
        positions[kept] = at
        kept += repeats & (positions[k + 1] == at + 1) & (at < n_positions)
    return kept


@helper
def _find_repeats(
    n_candidates: Any,
    n: Any,
    power: Any,
    prefix: Any,
    positions: Any,
    first: Any,
    counts: Any,
    table: Any,
    state: Any,
) -> Any:
    """Set ``first[k]`` to the first candidate with the same n-gram (-1 where there is none other) and its count.

    Returns the most frequent n-gram's first candidate, the earliest one on ties (as ``Counter.most_common``), or -1.
    """
    mask = _next_generation(n_candidates, table, state)
    stamp = np.uint64(state[0]) << GENERATION_SHIFT
    best, best_count = np.int64(-1), 1
    for k in range(n_candidates):
        at = nonnegative(np.int64(positions[k]))
        gram = prefix[at + n] - prefix[at] * power
        key = finish(gram)
        tag = stamp | (key & TAG_MASK)
        slot = key & mask
        first[k] = -1
        counts[k] = 1
        while True:
            entry = table[slot]
            if entry < stamp:
                table[slot] = tag | np.uint64(k)
                break
            if (entry & ~INDEX_MASK) == tag:
                other = np.int64(entry & INDEX_MASK)
                start = nonnegative(np.int64(positions[other]))
                if prefix[start + n] - prefix[start] * power == gram:
                    first[other] = other
                    first[k] = other
                    counts[other] += 1
                    if counts[other] > best_count or (counts[other] == best_count and other < best):
                        best, best_count = other, counts[other]
                    break
            slot = (slot + np.uint64(1)) & mask
    return best


@part
def _greedy_chars(n_candidates: Any, n: Any, prefix_chars: Any, positions: Any, first: Any, seen: Any) -> Any:
    """Characters in n-grams seen before, reading left to right and jumping over each one found."""
    total, resume = 0, 0
    for k in range(n_candidates):
        seen[k] = 0
    for k in range(n_candidates):
        at = nonnegative(np.int64(positions[k]))
        if first[k] < 0 or at < resume:
            continue
        if seen[first[k]]:
            total += prefix_chars[at + n] - prefix_chars[at]
            resume = at + n
        else:
            seen[first[k]] = 1
    return total
