"""Which texts are too near to some entries, such as held-out documents: exact, through an inverted index.

Two tests, either is enough: word-5-gram Jaccard (near-copies of the whole text) and the share of the entry's word
13-grams that a text holds (quotations of it inside something longer). Every text is folded, code too: a quotation
stands in a page of markup as well as in prose. In scripts without spaces a letter is a word.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from dq.arrays import F64, U64, Bools, distinct
from dq.dedup.config import exact_threshold
from dq.dedup.inverted import InvertedIndex
from dq.dedup.known import ALL, folded_words, known_shingles, marks_of
from dq.dedup.shingles import Shingles, shingle
from dq.executors import require_live_polars
from dq.text import TextBatch, Texts, text_batch

LENGTHS = JACCARD_NGRAM, CONTAINMENT_NGRAM = 5, 13


class InTexts(NamedTuple):
    """What of some entries stands in some texts."""

    near: pl.DataFrame
    """The texts that are near to an entry, as :meth:`Entries.look_in` says."""
    quotes: Shingles
    """Of each text the word 13-grams that may be of an entry: all that are, and a few others."""

    def quoted(self, wanted: U64, texts: Bools) -> U64:
        """Those of some word 13-grams of entries that stand in any of the marked texts: ascending."""
        there = pl.Series(self.quotes.hashes[np.repeat(texts, np.diff(self.quotes.offsets))])
        return there.filter(there.is_in(pl.Series(wanted).implode())).unique().sort().to_numpy()


class Entries:
    """Some entries, ready to be looked for in any texts."""

    def __init__(self, entries: Texts) -> None:
        require_live_polars()
        self._near, self._quoted = map(InvertedIndex, known_shingles(text_batch(entries), LENGTHS, ALL))
        self._marks = marks_of([self._near.values, self._quoted.values])

    def look_in(self, texts: Texts, *, min_jaccard: float, min_containment: float) -> InTexts:
        """Look for the entries in some texts, and for what of them is quoted there.

        Near are those of one row a text: document and entry (row numbers), score, measure. Of several entries the
        nearest is named, the first one on ties; near-copies go before quotations.
        """
        batch = text_batch(texts)
        grams, quotes = known_shingles(batch, LENGTHS, self._marks)
        quoted = self._quoted.neighbours(quotes, min_containment, containment=True)
        whole = pl.Series(self._quoted.sizes[quoted["row"].to_numpy()])
        near = [
            self._copies(batch, grams, min_jaccard).select(*_scored(pl.col("union")), measure=pl.lit("jaccard_5gram")),
            quoted.select(*_scored(whole), measure=pl.lit("containment_13gram")),
        ]
        return InTexts(nearest_entries(pl.concat(near)), quotes)

    def _copies(self, batch: TextBatch, grams: Shingles, least: float) -> pl.DataFrame:
        """The pairs with this Jaccard or more: only of texts that hold as much of an entry all shingles are counted."""
        held = self._near.neighbours(grams, least, containment=True)
        documents, pair = np.unique(held["document"].to_numpy(), return_inverse=True)
        sizes = np.diff(shingle(batch, folded_words(JACCARD_NGRAM), documents=documents).offsets)[pair]
        union = pl.Series(sizes + self._near.sizes[held["row"].to_numpy()]) - held["intersection"]
        bound = exact_threshold(least)
        return held.with_columns(union=union).filter(
            pl.col("intersection") * bound.denominator >= pl.col("union") * bound.numerator
        )


def _scored(whole: pl.Expr | pl.Series) -> list[pl.Expr]:
    return [pl.col("document"), pl.col("row").alias("entry"), (pl.col("intersection") / whole).alias("score")]


def shingles_to_quote(entries: Texts) -> U64:
    """The word 13-grams of some entries, ascending."""
    return distinct(shingle(entries, folded_words(CONTAINMENT_NGRAM)).hashes)


def quoted_share(entries: Texts, quoted: U64) -> F64:
    """Of each entry the share of its word 13-grams that are among the quoted ones; 0 where it has none."""
    shingles = shingle(entries, folded_words(CONTAINMENT_NGRAM))
    among = pl.Series(shingles.hashes).is_in(pl.Series(quoted).implode()).to_numpy()
    found = np.concatenate([[0], np.cumsum(among)])
    sizes = np.diff(shingles.offsets)
    return np.diff(found[shingles.offsets]) / np.maximum(sizes, 1)


def nearest_entries(found: pl.DataFrame) -> pl.DataFrame:
    """One row a document of what `Entries.look_in` found, in some texts or in several versions of them."""
    ranked = found.sort("document", "measure", "score", "entry", descending=[False, True, True, False])
    return ranked.unique("document", keep="first", maintain_order=True)
