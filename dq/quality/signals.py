"""Signals: text to numbers, one row a document, computed once and queried ever after.

Everything that does not need a model is computed by compiled kernels over Arrow buffers. A signal never decides: see
``dq.quality.rules`` for verdicts.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl

from dq.errors import ConfigError
from dq.quality import kernels_score
from dq.quality.function_words import ENGLISH_FUNCTION_WORDS, GOPHER_STOP_WORDS
from dq.quality.kernels_doc import DOCUMENT_COLUMNS, FUNCTION_WORD
from dq.quality.kernels_lines import LINE_COLUMNS
from dq.quality.kernels_ngrams import N_GRAM_COLUMNS
from dq.quality.registry import Signal, signal
from dq.text import unicode
from dq.text.buffers import TextBatch, Texts, text_batch
from dq.text.kernels_hash import hash_bytes
from dq.text.marks import marks

__all__ = ["DEFAULT_SIGNALS", "Signal", "WordDefinition", "score"]

WordDefinition: TypeAlias = Literal["unicode", "whitespace"]

C4_RELAXED_COLUMNS = tuple(name.replace("c4_", "c4_relaxed_") for name in kernels_score.C4_COLUMNS)
# In the order of the matrices that kernels_score.score_documents fills.
COLUMNS = (
    DOCUMENT_COLUMNS,
    LINE_COLUMNS,
    N_GRAM_COLUMNS,
    kernels_score.C4_COLUMNS,
    C4_RELAXED_COLUMNS,
    kernels_score.AFTER_C4_COLUMNS,
)
DEFAULT_SIGNALS: tuple[str, ...] = tuple(name for group in COLUMNS for name in group)


def score(
    texts: Texts,
    signals: Iterable[str] | None = None,
    *,
    words: WordDefinition = "unicode",
    threads: int = 1,
) -> pl.DataFrame:
    """Compute signals of texts.

    Args:
        texts: a list of str, a polars Series, or an Arrow string array; nulls count as empty texts.
        signals: names from the registry; default: all signals of the four published rule sets and RedPajama-V2's.
        words: ``unicode`` tracks spaCy's blank English, which datatrove uses; ``whitespace`` splits at white space.
        threads: documents are shared among this many threads (the kernels hold no GIL).

    Returns:
        One row a text, in order; one column a signal with the registry's dtype; null where a signal is undefined,
        such as a mean word length without words.

    Raises:
        ConfigError: an unknown signal or word definition.
        InputError: the texts are not strings.
    """
    names = DEFAULT_SIGNALS if signals is None else tuple(dict.fromkeys(signals))
    chosen = [signal(name) for name in names]
    if words not in ("unicode", "whitespace"):
        raise ConfigError(f"unknown word definition `{words}`; use `unicode` or `whitespace`")
    batch = text_batch(texts)
    outs = _measure(batch, _groups(names), unicode_words=words == "unicode", threads=threads)
    columns = {
        name: column
        for group, out in zip(COLUMNS, outs, strict=True)
        for name, column in zip(group, out.T, strict=True)
    }
    return pl.DataFrame([_series(s, columns[s.name]) for s in chosen])


def _series(chosen: Signal, values: np.ndarray[Any, np.dtype[np.float64]]) -> pl.Series:
    column = pl.Series(chosen.name, values, nan_to_null=True)
    return column.cast(pl.Int64) if chosen.dtype == "int64" else column


def _groups(names: Sequence[str]) -> int:
    wanted = set(names)
    groups = 0
    if wanted & set(N_GRAM_COLUMNS):
        groups |= kernels_score.GROUP_NGRAMS
    if any(name.startswith(("c4_", "after_c4_")) for name in wanted):
        groups |= kernels_score.GROUP_C4
    return groups


def _measure(
    batch: TextBatch, groups: int, *, unicode_words: bool, threads: int
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], ...]:
    n = len(batch)
    outs = tuple(np.full((n, len(group)), np.nan) for group in COLUMNS)
    # Kernels are compiled for one combination of argument types, so arrays are read-only whoever made them.
    data, offsets = _read_only(batch.data), _read_only(batch.offsets)
    tables = (unicode.classes(), unicode.lowercase(), marks())

    def run(bounds: tuple[int, int]) -> None:
        kernels_score.score_documents(data, offsets, bounds, unicode_words, groups, tables, _stop_words(), outs)

    slices = _slices(batch.offsets, max(1, threads))
    if len(slices) == 1:
        run(slices[0])
    else:
        with ThreadPoolExecutor(len(slices)) as pool:
            list(pool.map(run, slices))
    return outs


def _slices(offsets: np.ndarray[Any, np.dtype[np.int64]], parts: int) -> list[tuple[int, int]]:
    """Rows in contiguous parts of about equal bytes."""
    n = len(offsets) - 1
    targets = offsets[0] + (offsets[-1] - offsets[0]) * np.arange(1, parts) // parts
    cuts = [0, *np.searchsorted(offsets, targets).clip(0, n).tolist(), n]
    return [(a, b) for a, b in itertools.pairwise(cuts) if b > a] or [(0, 0)]


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    view = array.view()
    view.setflags(write=False)
    return view


@functools.cache
def _stop_words() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Open-addressing table of the English stop words: lower-case hashes (uint64) and bits (int64)."""
    entries: dict[str, int] = dict.fromkeys(ENGLISH_FUNCTION_WORDS, FUNCTION_WORD)
    for bit, word in enumerate(GOPHER_STOP_WORDS):
        entries[word] |= 1 << bit
    keys, bits = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
    for word, entry in entries.items():
        data = np.frombuffer(word.encode(), np.uint8)
        key = int(hash_bytes(data, 0, len(data)))
        slot = key % len(keys)
        while bits[slot]:
            slot = (slot + 1) % len(keys)
        keys[slot], bits[slot] = key, entry
    return keys, bits
