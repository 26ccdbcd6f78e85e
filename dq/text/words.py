"""Words of texts, as the signals see them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from dq.arrays import read_only
from dq.errors import ConfigError, InputError
from dq.text.buffers import TextBatch, Texts, text_batch
from dq.text.kernels.describe import describe_batch
from dq.text.kernels.flags import UNDESCRIBED, word_arrays
from dq.text.kernels.scan import MASKS, scan_batch
from dq.text.kernels.words import split_batch
from dq.text.tables import text_tables

BLOCK_BYTES = 64
WordDefinition: TypeAlias = Literal["unicode", "whitespace", "dictionary"]
"""``unicode`` follows spaCy's blank English, which datatrove uses for English; ``whitespace`` is ``str.split``;
``dictionary`` is ``unicode`` but for texts mostly in scripts without spaces, whose words are ICU's."""


def is_unicode_words(words: str) -> bool:
    """Whether a word definition splits text with spaces as ``unicode`` does, not as ``whitespace``.

    Raises:
        ConfigError: there is none of this name.
    """
    if words not in ("unicode", "whitespace", "dictionary"):
        raise ConfigError(f"unknown word definition `{words}`; use `unicode`, `whitespace` or `dictionary`")
    return words != "whitespace"


class Splitter:
    """Finds and describes the words of texts, in arrays that it uses again and again: one for each thread.

    What it holds is of the rows that were given last; the arrays grow to the largest.
    """

    def __init__(self) -> None:
        self.masks = np.empty((MASKS, 0), np.uint64)
        """Bits of every byte by property (rows of ``kernels.blocks``), from the first row's first byte on."""
        self.words = word_arrays(0, 0)
        """The words; starts and ends are places in the data of the batch."""

    def split(self, batch: TextBatch, rows: tuple[int, int], *, unicode_words: bool = True) -> int:
        """Find the words of the rows from ``rows[0]`` up to ``rows[1]``; returns how many there are."""
        data, offsets, tables = read_only(batch.data), read_only(batch.offsets), text_tables()
        self._scan(batch, rows)
        n_words = split_batch(data, offsets, rows, unicode_words, self.masks, tables, self.words)
        describe_batch(data, n_words, tables, self.words)
        return int(n_words)

    def place(self, batch: TextBatch, words: Sequence[Sequence[str]]) -> int:
        """Take the words of every text from somebody else's splitter; returns how many there are.

        Raises:
            InputError: a word is not in its text, or not after the word before it.
        """
        self._scan(batch, (0, len(batch)))
        count = 0
        for row, found in enumerate(words):
            self.words.bounds[row] = count
            at, end = int(batch.offsets[row]), int(batch.offsets[row + 1])
            text, first = batch.data[at:end].tobytes(), at
            for word in found:
                raw = word.encode()
                place = text.find(raw, at - first) if raw else -1
                if place < 0:
                    raise InputError(f"text {row}: the word {word!r} is not in it after the words before it")
                at = first + place + len(raw)
                self.words.starts[count], self.words.ends[count] = first + place, at
                self.words.flags[count] = UNDESCRIBED
                count += 1
        self.words.bounds[len(words)] = count
        describe_batch(read_only(batch.data), count, text_tables(), self.words)
        return count

    def _scan(self, batch: TextBatch, rows: tuple[int, int]) -> None:
        """Fill the masks, and make room for as many words as there are bytes: pages are used as words are found."""
        start, end, documents = int(batch.offsets[rows[0]]), int(batch.offsets[rows[1]]), rows[1] - rows[0]
        if self.masks.shape[1] < (end - start) // BLOCK_BYTES + 2:
            self.masks = np.empty((MASKS, (end - start) // BLOCK_BYTES + 2), np.uint64)
        room, most = len(self.words.bounds) - 1, len(self.words.starts)
        if room < documents or most < end - start:
            self.words = word_arrays(max(documents, 2 * room), max(end - start, most))
        scan_batch(read_only(batch.data), start, end, text_tables().scan, self.masks)


def split_words(texts: Texts, *, words: WordDefinition = "unicode") -> list[list[str]]:
    """The words of each text. For looking at; the signals never make Python strings."""
    batch, splitter = text_batch(texts), Splitter()
    n_words = splitter.split(batch, (0, len(batch)), unicode_words=is_unicode_words(words))
    raw, found = batch.data.tobytes(), splitter.words
    starts, ends = found.starts[:n_words].tolist(), found.ends[:n_words].tolist()
    spans = [raw[a:b].decode() for a, b in zip(starts, ends, strict=True)]
    return [spans[a:b] for a, b in itertools.pairwise(found.bounds[: len(batch) + 1].tolist())]
