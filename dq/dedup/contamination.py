"""Which items of benchmarks stand in which texts: exact, by word n-grams and an inverted index of the items.

After GPT-3 (Brown et al. 2020, section 4 and appendix C): an item leaks where one of its 13-grams stands in a training
text; an item of fewer words leaks where all of it stands there, if it has the 8 words that are the least of their n.
Words are those of `dq.dedup.overlap`: without case and the punctuation around them. Items of fewer words say nothing
and are not looked for; how many these are is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from dq.arrays import F64, I64, Bools
from dq.config import StrictModel
from dq.dedup.inverted import InvertedIndex
from dq.dedup.known import folded_words, known_shingles, marks_of
from dq.dedup.shingles import Shingles, shingle
from dq.executors import require_live_polars
from dq.text import Texts, text_batch

ANY = 1e-6  # a share that one n-gram of any item reaches
MATCHES: dict[str, type[pl.DataType]] = {"document": pl.Int64, "item": pl.Int64, "ngrams": pl.Int64}
FOUND: dict[str, type[pl.DataType]] = {"item": pl.Int64, "hash": pl.UInt64}


class ContaminationConfig(StrictModel):
    """When an item of a benchmark stands in a text."""

    ngram: int = Field(default=13, ge=2, le=64)
    """Words that must follow each other in both."""
    min_words: int = Field(default=8, ge=1)
    """An item of fewer words than `ngram` is looked for whole, from so many words on."""
    min_coverage: float = Field(default=0.0, ge=0, le=1)
    """Smallest share of an item's n-grams in one text that counts; 0: a single n-gram does, as in GPT-3."""


class InTexts(NamedTuple):
    """What of the items stands in some texts."""

    matches: pl.DataFrame
    """A row a text and item: document and item (row numbers), ngrams (of the item that stand in it)."""
    found: pl.DataFrame
    """Every n-gram of an item that was found, once: item, hash."""


class Items:
    """Items of benchmarks, by row number, ready to be looked for.

    Attributes:
        lengths: words of each item up to ``config.ngram``, more than which is not counted; 0 of those that are not
            looked for.
        ngrams: of each item how many different n-grams it has; 0 of those that are not looked for.
    """

    def __init__(self, texts: Texts, config: ContaminationConfig) -> None:
        require_live_polars()
        self.config = config
        whole = shingle(texts, folded_words(config.ngram))
        self.lengths = _lengths(texts, whole, config)
        self.ngrams: I64 = np.where(self.lengths > 0, np.diff(whole.offsets), 0)
        owners = np.repeat(np.arange(len(whole)), np.diff(whole.offsets))
        looked = self.lengths[owners] > 0
        self._hashes = pl.DataFrame({"item": owners[looked], "hash": whole.hashes[looked]}, schema=FOUND)
        self._indexes = [(int(n), *_index(whole, self.lengths == n)) for n in np.unique(self.lengths) if n]
        self._marks = marks_of([self._hashes["hash"].to_numpy()])

    def __len__(self) -> int:
        return len(self.lengths)

    def look_in(self, texts: Texts) -> InTexts:
        """What stands in these texts."""
        known = known_shingles(text_batch(texts), [n for n, _, _ in self._indexes], self._marks)
        both = [
            self._of_length(given, rows, index) for given, (_, rows, index) in zip(known, self._indexes, strict=True)
        ]
        matches = pl.concat([pl.DataFrame(schema=MATCHES), *(one.matches for one in both)])
        found = pl.concat([pl.DataFrame(schema=FOUND), *(one.found for one in both)])
        return InTexts(matches.sort("document", "item"), found.sort("item", "hash"))

    def _of_length(self, given: Shingles, rows: I64, index: InvertedIndex) -> InTexts:
        pairs = index.neighbours(given, max(ANY, self.config.min_coverage), containment=True)
        items = pl.Series("item", rows).gather(pairs["row"])
        matches = pairs.select("document", items, ngrams="intersection")
        documents = matches["document"].unique().to_numpy()
        sizes = np.diff(given.offsets)[documents]
        hashes = np.concatenate([np.empty(0, np.uint64), *(given.of(int(one)) for one in documents)])
        there = pl.DataFrame({"document": np.repeat(documents, sizes), "hash": hashes})
        found = matches.join(there.join(self._hashes, on="hash"), on=["document", "item"]).select("item", "hash")
        return InTexts(matches, found.unique())

    def covered(self, found: Iterable[pl.DataFrame]) -> F64:
        """The share of each item's n-grams that stand in all texts together, of what was found in each part of them."""
        counts = pl.concat([pl.DataFrame(schema=FOUND), *found]).unique().group_by("item").len()
        share = np.zeros(len(self))
        share[counts["item"].to_numpy()] = counts["len"].to_numpy()
        return share / np.maximum(self.ngrams, 1)


def _lengths(texts: Texts, whole: Shingles, config: ContaminationConfig) -> I64:
    """Words of each item, ``ngram`` at most; 0 below ``min_words``.

    A text of no more than n words is a single shingle, whatever the larger n: the smallest at which it is the same as
    at ``ngram`` is its number of words.
    """
    lengths = np.full(len(whole), config.ngram)
    single = np.diff(whole.offsets) == 1
    last = np.zeros(len(whole), np.uint64)
    last[single] = whole.hashes[whole.offsets[:-1][single]]
    least = min(config.min_words, config.ngram)
    for n in range(config.ngram - 1, least - 2, -1):
        fewer = shingle(texts, folded_words(max(n, 1)))
        same = single & (np.diff(fewer.offsets) == 1)
        same[same] = fewer.hashes[fewer.offsets[:-1][same]] == last[same]
        lengths[same] = n if n >= least else 0
    lengths[np.diff(whole.offsets) == 0] = 0
    return lengths.astype(np.int64)


def _index(whole: Shingles, chosen: Bools) -> tuple[I64, InvertedIndex]:
    """Row numbers of the chosen items, and an index of these."""
    rows = np.flatnonzero(chosen)
    parts = [whole.of(int(row)) for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return rows.astype(np.int64), InvertedIndex(Shingles(np.concatenate([np.empty(0, np.uint64), *parts]), offsets))
