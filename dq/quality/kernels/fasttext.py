"""What a supervised fastText model says of texts: its words, their pieces, and the probability of its labels.

As fastText 0.9.2 does it (Joulin et al. 2016; `dictionary.cc`, `loss.cc`, MIT licence), but with exact sigmoids where
it looks them up in a table of 512, and without the 1e-5 that it adds to every probability.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dq.arrays import F32, F64, I32, I64, U8, U64
from dq.text.kernels.hash import hash_bytes
from dq.text.kernels.jit import inlined, kernel
from dq.text.kernels.search import find_sorted

SOFTMAX, TREE, EACH = 0, 1, 2  # how outputs become probabilities; EACH label by itself
FNV_OFFSET, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
SPREAD = np.uint64(0x9E3779B97F4A7C15)
PAIR_FACTOR = np.uint64(116049371)
LOW_32 = np.uint64(0xFFFFFFFF)
LESS_THAN, GREATER_THAN = 0x3C, 0x3E  # fastText writes them around a word before it takes pieces


class FastText(NamedTuple):
    """A model as the kernels take it."""

    keys: U64
    """Hashes of the dictionary's entries, words first, sorted."""
    entries: I64
    """The entry of each key."""
    n_words: int
    bucket: int
    """How many pieces hash apart; 0 where the model has none."""
    min_piece: int
    """Characters of the shortest piece of a word."""
    max_piece: int
    """Of the longest; 0: words alone."""
    word_ngram: int
    """Words in the longest run that counts."""
    pruned: bool
    """Whether only the pieces in ``kept`` were left."""
    kept: I32
    """(slots, 2), a hash table: a piece and its row behind the words, -1 in an empty slot."""
    inputs: F32
    """(rows, dim)."""
    outputs: F32
    """(labels, or inner nodes of the tree and more, dim)."""
    loss: int
    paths: I32
    """(labels, depth): of each label the nodes of the tree from the root, 2 * row + 1 to the right; -1 after it."""
    label_prefix: U8
    """``__label__``: words that begin so are no text."""
    line_end: U8
    """``</s>``, the word at the end of every text."""


class WordCache(NamedTuple):
    """What words of the texts before added: most words of a text have been seen. A slot holds the last word of it."""

    keys: U64
    """Hashes of the words."""
    rows: I64
    """How many rows were added, -1 for a label; EMPTY where no word is."""
    sums: F64
    """(slots, dim)."""


EMPTY = -2
CACHE_BYTES = 1 << 21  # more words miss the processor's own cache more often


@kernel
def read_entries(data: U8, at: int, spans: I64, counts: I64, kinds: U8) -> int:
    """Read the dictionary's entries: a text to a zero byte, int64 count, int8 kind.

    Returns where they end, -1 if they are cut off.

    spans: (entries, 2), bounds of the texts.
    """
    for entry in range(counts.size):
        spans[entry, 0] = at
        while at < data.size and data[at] != 0:
            at += 1
        spans[entry, 1] = at
        if at + 10 > data.size:
            return -1
        count = np.uint64(0)
        for k in range(8):
            count |= np.uint64(data[at + 1 + k]) << np.uint64(8 * k)
        counts[entry] = np.int64(count)
        kinds[entry] = data[at + 9]
        at += 10
    return at


@kernel
def hash_entries(data: U8, spans: I64, out: U64) -> None:
    """The hash of every entry's text, as texts are looked for."""
    for entry in range(out.size):
        out[entry] = hash_bytes(data, spans[entry, 0], spans[entry, 1])


@kernel
def _fnv(data: U8, start: int, end: int) -> np.uint32:
    """FNV-1a of 32 bits, with fastText's slip that bytes from 0x80 on are negative."""
    state = FNV_OFFSET
    for k in range(start, end):
        byte = np.uint32(data[k])
        if byte & np.uint32(0x80):
            byte |= np.uint32(0xFFFFFF00)
        state = np.uint32((state ^ byte) * FNV_PRIME)
    return state


@inlined
def _slot(piece: Any, kept: I32) -> np.int64:
    """Where a piece is in the table, or the empty slot where it would be."""
    mask = kept.shape[0] - 1
    slot = np.int64((np.uint64(piece) * SPREAD) >> np.uint64(32)) & mask
    while kept[slot, 1] >= 0 and kept[slot, 0] != piece:
        slot = (slot + 1) & mask
    return slot


@kernel
def fill_kept(pieces: I32, rows: I32, kept: I32) -> None:
    """Enter pieces in a table of empty slots, a power of two and more than there are pieces; the first row counts."""
    for k in range(pieces.size):
        slot = _slot(np.int64(pieces[k]), kept)
        if kept[slot, 1] < 0:
            kept[slot, 0], kept[slot, 1] = pieces[k], rows[k]


@kernel
def _add_row(model: FastText, row: int, hidden: F64) -> int:
    for k in range(hidden.size):
        hidden[k] += model.inputs[row, k]
    return 1


@kernel
def _add_piece(model: FastText, piece: Any, hidden: F64) -> int:
    """Add the row of a hashed piece, unless it was pruned."""
    if model.pruned:
        piece = np.int64(model.kept[_slot(np.int64(piece), model.kept), 1])
        if piece < 0:
            return 0
    return _add_row(model, model.n_words + piece, hidden)


@kernel
def _add_pieces(model: FastText, framed: U8, size: int, hidden: F64) -> int:
    """Add the pieces of the word that stands in ``framed`` between its two marks; returns how many."""
    added = 0
    for first in range(size):
        if (framed[first] & 0xC0) == 0x80:
            continue
        end, chars = first, 1
        while end < size and chars <= model.max_piece:
            end += 1
            while end < size and (framed[end] & 0xC0) == 0x80:
                end += 1
            if chars >= model.min_piece and not (chars == 1 and (first == 0 or end == size)):
                added += _add_piece(model, np.int64(_fnv(framed, first, end)) % model.bucket, hidden)
            chars += 1
    return added


@kernel
def _starts_with(data: U8, start: int, end: int, prefix: U8) -> bool:
    if end - start < prefix.size:
        return False
    same = 0
    while same < prefix.size and data[start + same] == prefix[same]:
        same += 1
    return same == prefix.size


@kernel
def _add_seen(model: FastText, data: U8, bounds: tuple[int, int], room: tuple[U8, I64, WordCache], hidden: F64) -> int:
    """What `_add_word` adds; the sum of a word is made by itself, so what the cache holds changes no bit."""
    framed, _, cache = room
    key = hash_bytes(data, bounds[0], bounds[1])
    slot = np.int64(key & np.uint64(cache.keys.size - 1))
    if cache.rows[slot] == EMPTY or cache.keys[slot] != key:
        cache.sums[slot, :] = 0.0
        cache.keys[slot] = key
        cache.rows[slot] = _add_word(model, key, data, bounds, framed, cache.sums[slot])
    if cache.rows[slot] > 0:
        for k in range(hidden.size):
            hidden[k] += cache.sums[slot, k]
    return cache.rows[slot]


@kernel
def _add_word(model: FastText, key: Any, data: U8, bounds: tuple[int, int], framed: U8, hidden: F64) -> int:
    """Add a word and its pieces; returns the rows that were added, -1 for a label."""
    start, end = bounds
    place = find_sorted(key, model.keys)
    entry = model.entries[place] if place >= 0 else -1
    if entry >= model.n_words or (entry < 0 and _starts_with(data, start, end, model.label_prefix)):
        return -1
    added = _add_row(model, entry, hidden) if entry >= 0 else 0
    if model.max_piece > 0 and model.bucket > 0:
        framed[0] = LESS_THAN
        for k in range(start, end):
            framed[1 + k - start] = data[k]
        framed[1 + end - start] = GREATER_THAN
        added += _add_pieces(model, framed, end - start + 2, hidden)
    return added


@kernel
def _is_gap(byte: int) -> bool:
    return byte in (0, 32) or 9 <= byte <= 13


@kernel
def _read_text(model: FastText, data: U8, bounds: tuple[int, int], room: tuple[U8, I64, WordCache], hidden: F64) -> int:
    """Sum the rows of a text's words, pieces and runs of words into ``hidden``; -1 for a text of white space alone.

    The line's end is a word of its own, `</s>`, which the dictionary may have and which has no pieces.
    """
    hashes = room[1]
    added = count = 0
    blank = True
    at, end = bounds
    while at < end:
        if _is_gap(data[at]):
            at += 1
            continue
        blank = False
        start = at
        while at < end and not _is_gap(data[at]):
            at += 1
        if at - start == 4 and _starts_with(data, start, at, model.line_end):
            break  # a text that spells the end of a line ends there
        rows = _add_seen(model, data, (start, at), room, hidden)
        if rows >= 0:
            added += rows
            if model.word_ngram > 1:
                hashes[count] = np.int64(np.int32(_fnv(data, start, at)))
            count += 1
    if blank:
        return -1
    return _finish_line(model, hashes, count, added, hidden)


@kernel
def _finish_line(model: FastText, hashes: I64, count: int, added: int, hidden: F64) -> int:
    """Add the end of the line and the runs of words."""
    place = find_sorted(hash_bytes(model.line_end, 0, 4), model.keys)
    if place >= 0 and model.entries[place] < model.n_words:
        added += _add_row(model, model.entries[place], hidden)
    hashes[count] = np.int64(np.int32(_fnv(model.line_end, 0, 4)))
    count += 1
    if model.bucket > 0:
        for first in range(count):
            run = np.uint64(hashes[first])
            for last in range(first + 1, min(count, first + model.word_ngram)):
                run = run * PAIR_FACTOR + np.uint64(hashes[last])
                added += _add_piece(model, np.int64(run % np.uint64(model.bucket)), hidden)
    return added


@kernel
def _dot(model: FastText, row: int, hidden: F64) -> float:
    total = 0.0
    for k in range(hidden.size):
        total += model.outputs[row, k] * hidden[k]
    return total


@kernel
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


@kernel
def _answer(model: FastText, hidden: F64, out: F64) -> None:
    """The probability of every label."""
    if model.loss == TREE:
        rights = np.empty(out.size, np.float64)  # of every inner node, of which there is one fewer than labels
        for node in range(out.size - 1):
            rights[node] = _sigmoid(_dot(model, node, hidden))
        for label in range(out.size):
            out[label] = 1.0
            for k in range(model.paths.shape[1]):
                node = model.paths[label, k]
                if node < 0:
                    break
                out[label] *= rights[node >> 1] if node & 1 else 1.0 - rights[node >> 1]
        return
    most = -math.inf
    for label in range(out.size):
        out[label] = _dot(model, label, hidden)
        most = max(most, out[label])
    if model.loss == EACH:
        for label in range(out.size):
            out[label] = _sigmoid(out[label])
        return
    total = 0.0
    for label in range(out.size):
        out[label] = math.exp(out[label] - most)
        total += out[label]
    for label in range(out.size):
        out[label] /= total


@kernel
def label_probabilities(data: U8, offsets: I64, model: FastText, out: F64) -> None:
    """The probabilities of the labels, (texts, labels); NaN for texts of white space and those without a known word."""
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    dim = model.inputs.shape[1]
    slots = 1
    while 2 * slots * 8 * (dim + 2) <= CACHE_BYTES:
        slots *= 2
    cache = WordCache(np.empty(slots, np.uint64), np.full(slots, EMPTY), np.empty((slots, dim), np.float64))
    room = (np.empty(longest + 2, np.uint8), np.empty(longest // 2 + 2, np.int64), cache)
    hidden = np.empty(dim, np.float64)
    for row in range(offsets.size - 1):
        hidden[:] = 0.0
        added = _read_text(model, data, (offsets[row], offsets[row + 1]), room, hidden)
        if added <= 0:
            out[row, :] = math.nan
            continue
        hidden /= added
        _answer(model, hidden, out[row])
