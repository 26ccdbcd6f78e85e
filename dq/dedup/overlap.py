"""Which texts are too near to some entries, such as held-out documents: exact, through an inverted index.

Two tests, either is enough: word-5-gram Jaccard (near-copies of the whole text) and the share of the entry's word
13-grams that a text holds (quotations of it inside something longer). Every text is folded, code too: a quotation
stands in a page of markup as well as in prose. In scripts without spaces a letter is a word.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import F64, U64
from dq.dedup.config import ShingleConfig
from dq.dedup.inverted import InvertedIndex
from dq.dedup.shingles import shingle
from dq.executors import require_live_polars
from dq.text import Texts

JACCARD_NGRAM, CONTAINMENT_NGRAM = 5, 13


class Entries:
    """Some entries, ready to be compared with any texts."""

    def __init__(self, entries: Texts) -> None:
        require_live_polars()
        self._near = InvertedIndex(shingle(entries, _grams(JACCARD_NGRAM)))
        self._quoted = InvertedIndex(shingle(entries, _grams(CONTAINMENT_NGRAM)))

    def near(self, texts: Texts, *, min_jaccard: float, min_containment: float) -> pl.DataFrame:
        """The texts that are near to an entry: document and entry (row numbers), score, measure; one row a text.

        Of several entries the nearest is named, the first one on ties; near-copies go before quotations.
        """
        near = self._near.neighbours(shingle(texts, _grams(JACCARD_NGRAM)), min_jaccard)
        quotes = shingle(texts, _grams(CONTAINMENT_NGRAM))
        quoted = self._quoted.neighbours(quotes, min_containment, containment=True)
        whole = pl.Series(self._quoted.sizes[quoted["row"].to_numpy()])
        return nearest_entries(
            pl.concat(
                [
                    near.select(*_scored(pl.col("union")), measure=pl.lit("jaccard_5gram")),
                    quoted.select(*_scored(whole), measure=pl.lit("containment_13gram")),
                ]
            )
        )


def _scored(whole: pl.Expr | pl.Series) -> list[pl.Expr]:
    return [pl.col("document"), pl.col("row").alias("entry"), (pl.col("intersection") / whole).alias("score")]


def shingles_to_quote(entries: Texts) -> U64:
    """The word 13-grams of some entries: sorted hashes."""
    return np.unique(shingle(entries, _grams(CONTAINMENT_NGRAM)).hashes)


def quoted_shingles(wanted: U64, texts: Texts) -> U64:
    """Those of some word 13-grams that stand in any of the texts: sorted hashes."""
    there = pl.Series(shingle(texts, _grams(CONTAINMENT_NGRAM)).hashes)
    return there.filter(there.is_in(pl.Series(wanted).implode())).unique().sort().to_numpy()


def quoted_share(entries: Texts, quoted: U64) -> F64:
    """Of each entry the share of its word 13-grams that are among the quoted ones; 0 where it has none."""
    shingles = shingle(entries, _grams(CONTAINMENT_NGRAM))
    found = np.concatenate([[0], np.cumsum(np.isin(shingles.hashes, quoted))])
    sizes = np.diff(shingles.offsets)
    return np.diff(found[shingles.offsets]) / np.maximum(sizes, 1)


def nearest_entries(found: pl.DataFrame) -> pl.DataFrame:
    """One row a document of what `Entries.near` found, in some texts or in several versions of them."""
    ranked = found.sort("document", "measure", "score", "entry", descending=[False, True, True, False])
    return ranked.unique("document", keep="first", maintain_order=True)


def _grams(ngram: int) -> ShingleConfig:
    return ShingleConfig(normalization="folded", ngram=ngram)
