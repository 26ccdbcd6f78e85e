"""Repeated passages as data: every piece with the place that it repeats, what is cut, and the texts without it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arrays import I64, Bools, distinct, read_only
from dq.dedup.kernels.pieces import without_cuts
from dq.dedup.passages.options import RepeatedPassages
from dq.text import Cleaned, Texts, text_batch

COLUMNS = ("document", "begin", "end", "kept_document", "kept_begin", "cut_begin", "cut_end")


@dataclass(frozen=True)
class Cuts:
    """What goes of a batch of texts: small, for whoever reads a shard."""

    rows: I64
    """(m, 3), sorted: text, begin and end."""

    def rest(self, texts: Texts) -> pa.LargeStringArray:
        """What is left of the texts; untouched ones are equal to the byte."""
        batch = text_batch(texts)
        rest, ends = np.empty(batch.offsets[-1] - batch.offsets[0], np.uint8), np.empty(len(batch) + 1, np.int64)
        without_cuts(read_only(batch.data), read_only(batch.offsets), read_only(self.rows), rest, ends)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(rest[: ends[-1]])]
        return pa.Array.from_buffers(pa.large_string(), len(batch), buffers)

    def clean(self, texts: Texts) -> Cleaned:
        """The same as a cleaner's result; counts: removed_passages, removed_bytes."""
        sizes = self.rows[:, 2] - self.rows[:, 1]
        counts = {"removed_passages": int(np.count_nonzero(sizes)), "removed_bytes": int(sizes.sum())}
        return Cleaned(self.rest(texts), len(distinct(self.rows[:, 0])), counts)


@dataclass(frozen=True)
class Passages:
    """The repeated passages of a corpus of n documents."""

    options: RepeatedPassages
    """What was looked for."""
    n_bytes: I64
    """(n,): of the documents."""
    pieces: pl.DataFrame
    """One row a piece, by document and begin: document, begin, end, kept_document, kept_begin, cut_begin, cut_end
    (int64). ``document[begin:end]`` are the bytes of ``kept_document`` from ``kept_begin`` on, and
    ``document[cut_begin:cut_end]`` is the part of the passage that is cut with this piece: pieces may overlap, cuts do
    not. Every repeated window is in a piece of the document that it stands in first. What a document keeps of a window
    there may be cut in part, where it overlaps another one that stands earlier yet."""

    @cached_property
    def cut_bytes(self) -> I64:
        """(n,): repeated bytes of each document, between boundaries."""
        return self._sums(self.pieces, pl.col("cut_end") - pl.col("cut_begin"))

    @cached_property
    def dropped(self) -> Bools:
        """(n,): emptied as a whole, for most of it stands in others that are not."""
        share = self.options.drop_above
        if share is None:
            return np.zeros(len(self.n_bytes), np.bool_)
        beyond = self._covered(self.pieces) > share * self.n_bytes
        stays = self.pieces.filter(~pl.Series(beyond[self.pieces["kept_document"].to_numpy()]))
        return self._covered(stays) > share * self.n_bytes

    @cached_property
    def emptied(self) -> Bools:
        """(n,): nothing is left of a text that was not empty."""
        if self.options.drop_above is not None:
            return self.dropped
        rest = self.n_bytes - self.cut_bytes
        return (self.cut_bytes > 0) & (rest < max(1, self.options.min_rest_bytes))

    @cached_property
    def rest_bytes(self) -> I64:
        """(n,): of the texts as they are left."""
        cut = 0 if self.options.drop_above is not None else self.cut_bytes
        return np.where(self.emptied, 0, self.n_bytes - cut)

    @cached_property
    def cuts(self) -> I64:
        """(m, 3), sorted: document, begin and end of every stretch that goes, of emptied ones all."""
        emptied = np.flatnonzero(self.emptied)
        rows = [np.column_stack([emptied, np.zeros_like(emptied), self.n_bytes[emptied]])]
        if self.options.drop_above is None:
            some = self.pieces.filter(pl.col("cut_begin") < pl.col("cut_end")).select(
                "document", "cut_begin", "cut_end"
            )
            found = some.to_numpy()
            rows.append(found[~self.emptied[found[:, 0]]])
        table = np.concatenate(rows)
        return table[np.argsort(table[:, 0], kind="stable")]

    def rest(self, texts: Texts, *, first: int = 0) -> pa.LargeStringArray:
        """What is left of the documents from number ``first`` on, whose texts these are."""
        batch = text_batch(texts)
        return self.cuts_of(first, len(batch)).rest(batch)

    def cuts_of(self, first: int, count: int) -> Cuts:
        """The cuts of some documents next to each other."""
        rows = slice(*np.searchsorted(self.cuts[:, 0], (first, first + count)))
        return Cuts(self.cuts[rows] - (first, 0, 0))

    def _covered(self, pieces: pl.DataFrame) -> I64:
        """(n,): bytes of each document in some of the pieces, which are sorted."""
        before = pl.col("end").shift(fill_value=0).cum_max().over("document")
        return self._sums(pieces, (pl.col("end") - pl.max_horizontal("begin", before)).clip(0))

    def _sums(self, pieces: pl.DataFrame, sizes: pl.Expr) -> I64:
        """Sizes by document."""
        table = pieces.select("document", size=sizes)
        found = np.bincount(table["document"].to_numpy(), table["size"].to_numpy(), len(self.n_bytes))
        return found.astype(np.int64)


def pieces_table(rows: I64) -> pl.DataFrame:
    """The table of rows as the kernels write them."""
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.Int64), orient="row")
