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


def near_duplicates_of(entries: Texts, texts: Texts, *, min_jaccard: float, min_containment: float) -> pl.DataFrame:
    """The texts that are near to an entry: document and entry (row numbers), score, measure; one row a text.

    Of several entries the nearest is named, the first one on ties; near-copies go before quotations.
    """
    require_live_polars()
    near = _neighbours(entries, texts, ngram=JACCARD_NGRAM, least=min_jaccard)
    quoted = _neighbours(entries, texts, ngram=CONTAINMENT_NGRAM, least=min_containment, containment=True)
    found = pl.concat(
        [near.with_columns(measure=pl.lit("jaccard_5gram")), quoted.with_columns(measure=pl.lit("containment_13gram"))]
    )
    return nearest_entries(found)


def quoted_shingles(entries: Texts, texts: Texts) -> U64:
    """The word 13-grams of some entries that stand in any of the texts: sorted hashes."""
    config = ShingleConfig(normalization="folded", ngram=CONTAINMENT_NGRAM)
    wanted, there = pl.Series(shingle(entries, config).hashes), pl.Series(shingle(texts, config).hashes)
    return there.filter(there.is_in(wanted.implode())).unique().sort().to_numpy()


def quoted_share(entries: Texts, quoted: U64) -> F64:
    """Of each entry the share of its word 13-grams that are among the quoted ones; 0 where it has none."""
    shingles = shingle(entries, ShingleConfig(normalization="folded", ngram=CONTAINMENT_NGRAM))
    found = np.concatenate([[0], np.cumsum(np.isin(shingles.hashes, quoted))])
    sizes = np.diff(shingles.offsets)
    return np.diff(found[shingles.offsets]) / np.maximum(sizes, 1)


def nearest_entries(found: pl.DataFrame) -> pl.DataFrame:
    """One row a document of what :func:`near_duplicates_of` found, in some texts or in several versions of them."""
    ranked = found.sort("document", "measure", "score", "entry", descending=[False, True, True, False])
    return ranked.unique("document", keep="first", maintain_order=True)


def _neighbours(entries: Texts, texts: Texts, *, ngram: int, least: float, containment: bool = False) -> pl.DataFrame:
    """Every pair of a text and an entry with a score of ``least`` or more: document, entry, score."""
    config = ShingleConfig(normalization="folded", ngram=ngram)
    index = InvertedIndex(shingle(entries, config))
    pairs = index.neighbours(shingle(texts, config), least, containment=containment)
    whole = pl.Series(index.sizes[pairs["row"].to_numpy()]) if containment else pairs["union"]
    return pairs.select("document", pl.col("row").alias("entry"), (pl.col("intersection") / whole).alias("score"))
