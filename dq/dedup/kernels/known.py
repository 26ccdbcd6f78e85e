"""Which shingles of texts others have too: nearly all are turned away by a look at one bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, U8, U64
from dq.dedup.kernels.canonical import canonical_bytes
from dq.dedup.kernels.shingles import CHUNK, combine, longest_text, read_units, sort_unique
from dq.dedup.kernels.words import WORD_SLACK, Rules, folded_bytes, split_words
from dq.text.kernels.jit import inlined, kernel

WORD_BITS = np.uint64(6)
IN_WORD = np.uint64(63)
ONE = np.uint64(1)
ROOM = 1 << 16


class Marks(NamedTuple):
    """Some hashes by their top bits alone: each is marked, and so are a few others."""

    bits: U64
    """64 marks in each."""
    shift: int
    """How many bits of a hash say nothing."""


@kernel
def mark(values: U64, marks: Marks) -> None:
    """Mark every value."""
    for value in values:
        place = value >> np.uint64(marks.shift)
        marks.bits[place >> WORD_BITS] |= ONE << (place & IN_WORD)


@inlined
def _is_marked(value: np.uint64, marks: Marks) -> np.uint64:
    place = value >> np.uint64(marks.shift)
    return (marks.bits[place >> WORD_BITS] >> (place & IN_WORD)) & ONE


@kernel
def _with_room(out: U64, columns: int) -> U64:
    """The same, or a copy of at least so many columns."""
    if columns <= out.shape[1]:
        return out
    wider = np.empty((out.shape[0], max(columns, 2 * out.shape[1])), np.uint64)
    wider[:, : out.shape[1]] = out
    return wider


@kernel
def marked_shingles(data: U8, offsets: I64, rules: Rules, lengths: I64, marks: Marks) -> tuple[U64, I64]:
    """The marked shingles of each document, sorted and unique, for every n of the ascending ``lengths``.

    Words are read once for all of them. Returns the hashes, a row a length, and where in it each document's end (a row
    a length, a 0 first).
    """
    documents, most = offsets.size - 1, lengths[lengths.size - 1]
    canonical = np.empty(canonical_bytes(longest_text(offsets, np.arange(documents))), np.uint8)
    scratch = np.empty(folded_bytes(canonical.size), np.uint8)
    words = np.empty(CHUNK + most + WORD_SLACK, np.uint64)
    grams = np.empty(words.size, np.uint64)
    edges = np.empty(2 * words.size, np.uint32)
    out = np.empty((lengths.size, ROOM), np.uint64)
    ends = np.zeros((lengths.size, documents + 1), np.int64)
    work = np.empty(0, np.uint64)
    slots = np.empty(0, np.int64)
    for d in range(documents):
        ends[:, d + 1] = ends[:, d]
        size, key, trim = read_units(data, offsets[d], offsets[d + 1], rules, canonical, scratch)
        position = filled = seen = 0
        ended = False
        while not ended:
            before = filled
            filled, position = split_words(scratch, size, position, words, filled, edges, trim)
            seen += filled - before
            ended = position >= size
            if ended and seen == 0 and key != 0:
                words[0] = key  # the only "word" of a document without any
                filled = 1
            for j in range(lengths.size):
                n = lengths[j]
                found = combine(words, filled, min(filled, n) if ended and seen < n else n, grams)
                end = ends[j, d + 1]
                out = _with_room(out, end + found)
                for k in range(found):
                    out[j, end] = grams[k]  # kept if the end moves on: no branch could guess
                    end += np.int64(_is_marked(grams[k], marks))
                ends[j, d + 1] = end
            keep = min(most - 1, filled)
            for k in range(keep):
                words[k] = words[filled - keep + k]
            filled = keep
        for j in range(lengths.size):
            begin, count = ends[j, d], ends[j, d + 1] - ends[j, d]
            if count > work.size:
                work = np.empty(2 * count, np.uint64)
                slots = np.empty(8 * count, np.int64)
            ends[j, d + 1] = begin + sort_unique(out[j, begin : begin + count], count, work, slots)
    return out, ends
