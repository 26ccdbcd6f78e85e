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
from dq.text.kernels.jit import kernel
from dq.text.kernels.search import find_sorted

SOFTMAX, TREE, EACH = 0, 1, 2  # how outputs become probabilities; EACH label by itself
FNV_OFFSET, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
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
    """Their hashes, sorted."""
    kept_rows: I32
    """The row of each behind the words."""
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


@kernel
def _add_row(model: FastText, row: int, hidden: F64) -> int:
    for k in range(hidden.size):
        hidden[k] += model.inputs[row, k]
    return 1


@kernel
def _add_piece(model: FastText, piece: Any, hidden: F64) -> int:
    """Add the row of a hashed piece, unless it was pruned."""
    if model.pruned:
        place = find_sorted(np.int32(piece), model.kept)
        if place < 0:
            return 0
        piece = np.int64(model.kept_rows[place])
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
def _add_word(model: FastText, data: U8, start: int, end: int, framed: U8, hidden: F64) -> int:
    """Add a word and its pieces; returns the rows that were added, -1 for a label."""
    place = find_sorted(hash_bytes(data, start, end), model.keys)
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
def _read_text(model: FastText, data: U8, bounds: tuple[int, int], room: tuple[U8, I64], hidden: F64) -> int:
    """Sum the rows of a text's words, pieces and runs of words into ``hidden``; -1 for a text of white space alone.

    The line's end is a word of its own, `</s>`, which the dictionary may have and which has no pieces.
    """
    framed, hashes = room
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
        rows = _add_word(model, data, start, at, framed, hidden)
        if rows >= 0:
            added += rows
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
        for label in range(out.size):
            out[label] = 1.0
            for k in range(model.paths.shape[1]):
                node = model.paths[label, k]
                if node < 0:
                    break
                right = _sigmoid(_dot(model, node >> 1, hidden))
                out[label] *= right if node & 1 else 1.0 - right
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
    room = (np.empty(longest + 2, np.uint8), np.empty(longest // 2 + 2, np.int64))
    hidden = np.empty(model.inputs.shape[1], np.float64)
    for row in range(offsets.size - 1):
        hidden[:] = 0.0
        added = _read_text(model, data, (offsets[row], offsets[row + 1]), room, hidden)
        if added <= 0:
            out[row, :] = math.nan
            continue
        hidden /= added
        _answer(model, hidden, out[row])
