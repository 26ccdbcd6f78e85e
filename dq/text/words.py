"""Words and sentences of texts, as the signals see them."""

from __future__ import annotations

import itertools
from typing import Any, Literal, TypeAlias

import numpy as np

from dq.errors import ConfigError
from dq.text.buffers import TextBatch, Texts, text_batch
from dq.text.kernels.describe import describe_batch
from dq.text.kernels.scan import MASKS, scan_batch
from dq.text.kernels.words import split_batch
from dq.text.tables import text_tables
from dq.text.word_flags import WordArrays, word_arrays

__all__ = ["WordDefinition", "is_unicode_words", "read_only", "scan_and_split", "split_words"]

BLOCK_BYTES = 64
WordDefinition: TypeAlias = Literal["unicode", "whitespace"]


def is_unicode_words(words: str) -> bool:
    """Whether a word definition is ``unicode`` rather than ``whitespace``.

    Raises:
        ConfigError: it is neither.
    """
    if words not in ("unicode", "whitespace"):
        raise ConfigError(f"unknown word definition `{words}`; use `unicode` or `whitespace`")
    return words == "unicode"


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A view that kernels see as read-only: they are compiled once for one kind of array, whoever made it."""
    view = array.view()
    view.setflags(write=False)
    return view


def scan_and_split(
    batch: TextBatch, rows: tuple[int, int], *, unicode_words: bool
) -> tuple[np.ndarray[Any, Any], WordArrays, int]:
    """Masks, words and the number of words of some rows of a batch; word starts are positions in ``batch.data``."""
    data, offsets, tables = read_only(batch.data), read_only(batch.offsets), text_tables()
    start, end = int(offsets[rows[0]]), int(offsets[rows[1]])
    masks = np.empty((MASKS, (end - start) // BLOCK_BYTES + 2), np.uint64)
    words = word_arrays(rows[1] - rows[0], end - start)
    scan_batch(data, start, end, tables.scan, masks)
    n_words = split_batch(data, offsets, rows, unicode_words, masks, tables, words)
    describe_batch(data, n_words, tables, words)
    return masks, words, n_words


def split_words(texts: Texts, *, words: WordDefinition = "unicode") -> list[list[str]]:
    """The words of each text. For looking at; the signals never make Python strings.

    ``unicode`` follows spaCy's blank English, which datatrove uses for English; ``whitespace`` is ``str.split``.
    """
    batch = text_batch(texts)
    _, found, n_words = scan_and_split(batch, (0, len(batch)), unicode_words=is_unicode_words(words))
    raw = batch.data.tobytes()
    starts, ends, bounds = found.starts[:n_words].tolist(), found.ends[:n_words].tolist(), found.bounds.tolist()
    spans = [raw[a:b].decode() for a, b in zip(starts, ends, strict=True)]
    return [spans[a:b] for a, b in itertools.pairwise(bounds)]
