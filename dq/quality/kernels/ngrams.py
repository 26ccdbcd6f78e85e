"""Repeated n-grams of words, exactly, hashing each position only while it can still repeat.

An n-gram can occur twice only where both (n-1)-grams inside it occur twice, so each pass looks only at the positions
that survived the one before. Prefix sums make the hash of any n-gram one multiplication. Identity is that of the
words: datatrove joins the duplicate n-grams without a space, so there ("ab", "c") equals ("a", "bc"); here it does not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dq.arrays import F64, I32, I64, U8, U32, U64
from dq.quality.kernels.batch import SubBatch
from dq.quality.signals import AT
from dq.text.kernels.bits import nonnegative
from dq.text.kernels.flags import IS_WORD
from dq.text.kernels.hash import finish
from dq.text.kernels.jit import helper, inlined, kernel, part


class NgramArrays(NamedTuple):
    """Scratch of one document: what is known of each place where an n-gram may still repeat."""

    prefix: U64
    """Hash of all words before each, and of all words."""
    prefix_chars: I64
    """Characters of all words before each, and of all words."""
    positions: I32
    """Word at which a candidate begins."""
    grams: U64
    """Hash of a candidate's n-gram."""
    first: I32
    """First candidate of the same n-gram, -1 where there is no other."""
    counts: I32
    """How often the n-gram occurs, at its first candidate."""
    table: U32
    """A power of two, twice as many slots as words or more: the number of a candidate + 1, or 0."""


def ngram_arrays(words: int) -> NgramArrays:
    """Empty arrays for documents of at most this many words."""
    return NgramArrays(
        np.empty(words + 1, np.uint64),
        np.empty(words + 1, np.int64),
        np.empty(words + 1, np.int32),
        np.empty(words + 1, np.uint64),
        np.empty(words + 1, np.int32),
        np.empty(words + 1, np.int32),
        np.empty(1 << (2 * words + 64).bit_length(), np.uint32),
    )


LONGEST = 10
LONGEST_TOP = 4  # counted for n = 2, 3, 4; greedily removed for n = 5 .. 10

ONE = np.uint64(1)
BASE = np.uint64(0x9E3779B97F4A7C15)
# c ln c of small counts: a logarithm a word would cost as much as the rest of its pass.
COUNT_LOGS = np.array([0.0] + [count * math.log(count) for count in range(1, 256)])


@kernel
def measure_ngrams(batch: SubBatch, scratch: NgramArrays, out: F64) -> None:
    """Columns of words and n-grams (a row of ``out`` a document of the whole batch); NaN where undefined.

    scratch: room for the words of the longest document.
    """
    for row in range(batch.rows[0], batch.rows[1]):
        _measure(batch, row - batch.rows[0], scratch, out[row])


@part
def _measure(batch: SubBatch, local: int, scratch: NgramArrays, columns: F64) -> None:
    words = batch.words
    begin, end = words.bounds[local], words.bounds[local + 1]
    n_words, total_chars = end - begin, batch.chars[local]
    chars, flags = words.chars[begin:end], words.flags[begin:end]
    hashes, folded = words.hashes[begin:end], words.folded[begin:end]
    prefix, prefix_chars, positions = scratch.prefix, scratch.prefix_chars, scratch.positions
    first, counts, table = scratch.first, scratch.counts, scratch.table
    prefix[0] = 0
    prefix_chars[0] = 0
    for k in range(n_words):
        prefix[k + 1] = prefix[k] * BASE + hashes[k]
        prefix_chars[k + 1] = prefix_chars[k] + chars[k]
        positions[k] = k
    _count_words(n_words, flags, folded, first, counts, table, columns)
    n_candidates, power = n_words, BASE
    for n in range(2, LONGEST + 1):
        power *= BASE
        n_candidates = _survivors(n_candidates, n_words - n + 1, positions, first)
        _find_repeats(n_candidates, n, power, prefix, positions, scratch.grams, first, counts, table)
        column = AT.top_2_gram_char_fraction + n - 2  # top n-grams and duplicate n-grams stand in the order of n
        if n <= LONGEST_TOP and n_words >= n:
            columns[column] = _top_chars(n_candidates, n, prefix_chars, positions, counts) / total_chars
        elif n > LONGEST_TOP and n_words > 0:
            columns[column] = _greedy_chars(n_candidates, n, prefix_chars, positions, first, counts) / total_chars


@inlined
def _cleared(n_candidates: int, table: U32) -> Any:
    """Clear the part of the table that a pass uses, twice as many slots as candidates or more; its mask."""
    size = 64
    while size < 2 * n_candidates:
        size *= 2
    for slot in range(size):
        table[slot] = 0
    return np.uint64(size - 1)


@inlined
def _enter(k: int, key: Any, values: U64, first: I32, counts: I32, table: U32, mask: Any) -> Any:
    """Enter candidate ``k``, whose hash ``values[k]`` is spread in ``key``; whether it is the first of its kind.

    New and repeated candidates alternate without a pattern, so both take the same instructions; only the slots of
    other candidates, one in ten, are a branch.
    """
    slot, own = key & mask, np.uint64(k)
    fresh, other = _owner(table[slot], own)
    while values[other] != values[own]:
        slot = (slot + ONE) & mask
        fresh, other = _owner(table[slot], own)
    table[slot] = other + ONE
    found = np.int64(other) | -fresh
    first[other] = found
    first[own] = found
    counts[own] = 1
    counts[other] += 1 - fresh
    return fresh


@inlined
def _owner(entry: Any, own: Any) -> Any:
    """1 where a slot is free, else 0; and the candidate it belongs to: ``own`` where it is free."""
    fresh = np.int64(entry == 0)
    return fresh, own if fresh else np.uint64(entry) - ONE  # unsigned: no test for indices from the end


@helper
def _count_words(n_words: int, flags: U8, folded: U64, first: I32, counts: I32, table: U32, columns: F64) -> None:
    """One-grams in lower case: which repeat (a necessary condition for all longer ones), how many, their entropy."""
    mask = _cleared(n_words, table)
    total, distinct, repeated = 0, 0, 0.0
    for k in range(n_words):
        fresh = _enter(k, folded[k], folded, first, counts, table, mask)
        is_word = int((flags[k] & IS_WORD) != 0)
        total += is_word
        distinct += is_word & fresh
    for k in range(n_words):  # repeated words count 1 here, whose logarithm is 0
        repeated += int((flags[k] & IS_WORD) != 0) * _count_log(nonnegative(np.int64(counts[k])))
    if total:
        columns[AT.unique_word_fraction] = distinct / total
        columns[AT.unigram_entropy_nats] = max(0.0, math.log(total) - repeated / total)


@part
def _count_log(count: int) -> float:
    """The summand c ln c of an entropy."""
    return COUNT_LOGS[count] if count < COUNT_LOGS.shape[0] else count * math.log(count)


@part
def _survivors(n_candidates: int, n_positions: int, positions: I32, first: I32) -> int:
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
    n_candidates: int,
    n: int,
    power: Any,
    prefix: U64,
    positions: I32,
    grams: U64,
    first: I32,
    counts: I32,
    table: U32,
) -> None:
    """Set ``first[k]`` to the first candidate with the same n-gram (-1 where there is none other) and its count."""
    mask = _cleared(n_candidates, table)
    for k in range(n_candidates):
        at = nonnegative(np.int64(positions[k]))
        grams[k] = prefix[at + n] - prefix[at] * power
        _enter(k, finish(grams[k]), grams, first, counts, table, mask)


@part
def _top_chars(n_candidates: int, n: int, prefix_chars: I64, positions: I32, counts: I32) -> Any:
    """Characters in the most frequent n-gram, the earliest one on ties (as ``Counter.most_common``)."""
    at, most = np.int64(0), np.int64(1)
    for k in range(n_candidates):
        if counts[k] > most:
            at, most = np.int64(positions[k]), np.int64(counts[k])
    return (prefix_chars[at + n] - prefix_chars[at] + n - 1) * most


@part
def _greedy_chars(n_candidates: int, n: int, prefix_chars: I64, positions: I32, first: I32, seen: I32) -> int:
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
