"""Semantic deduplication: of documents whose vectors have nearly one direction one stays, exactly and with proof.

SemDeDup (Abbas et al. 2023) compares documents within clusters of k-means and loses the pairs that a border parts; here
every document is compared with every kept one, so nothing is lost and the cost is documents x kept documents x
dimensions: 94,040 documents of 256 dimensions take half a minute of processor time, ten times as many an hour. As with
MinHash the kept set is the greedy one under the order of a policy: a document goes only if it is itself at or above the
threshold with one that stays, and it names the nearest of those. No chains.

Products of blocks in single precision, whose error has a bound, say which pairs could matter. These alone are taken
again in double precision, in one order of adding: neither blocks nor threads nor the machine decide anything. Memory is
two blocks and some 60 bytes a document; the vectors may be a mapped file, and what is kept is written to another one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.arrays import F32, F64, I64, Array, Bools, read_only
from dq.dedup.kernels.vectors import pair_cosines, squared_lengths
from dq.dedup.selection import NOT_ELIGIBLE, Selection
from dq.errors import ConfigError, InputError
from dq.executors import QUIET, Step, require_live_polars
from dq.store.arrays import MappedArray, release_pages

BLOCK = 1024  # documents that are compared at a time
TILE = 4096  # with so many kept ones
NOTHING = -2.0  # below every cosine
MAX_DIMENSIONS = 16_384


def deduplicate_vectors(vectors: Any, *, threshold: float, order: I64 | None = None) -> pl.DataFrame:
    """Say which vector to keep of each group whose cosines are at or above the threshold.

    Args:
        vectors: (n, dimensions), of float16, float32 or float64, which counts as rounded to float32; of any length.
        threshold: smallest cosine that makes two vectors duplicates, above 0.
        order: int64 (n,), the rank of each, 0 the first to be kept, as of :meth:`dq.dedup.Policy.ranks`; default: as
            they come.

    Returns:
        One row a vector: ``kept_index`` (int64, its own row where kept), ``cosine`` (float64, with the kept one; 1
        where kept) and ``cluster`` (int64, how many share that kept one, itself included). Zero vectors match nothing.

    Raises:
        InputError: a value is no finite number.
        ConfigError: shape, threshold or order do not fit.
    """
    require_live_polars()
    checked = checked_vectors(vectors)
    ranks = np.arange(len(checked)) if order is None else np.asarray(order)
    chosen = select_by_cosine(checked, np.ones(len(checked), np.bool_), order=ranks, threshold=threshold)
    sizes = chosen.cluster_size[chosen.kept_index]
    return pl.DataFrame({"kept_index": chosen.kept_index, "cosine": chosen.similarity, "cluster": sizes})


def checked_vectors(vectors: Any) -> F32:
    """Vectors as float32, each value finite.

    Raises:
        InputError: a value is not.
        ConfigError: they are no table of numbers.
    """
    given = np.asarray(vectors)
    if given.ndim != 2 or given.dtype.kind != "f" or not 0 < given.shape[1] <= MAX_DIMENSIONS:
        raise ConfigError(
            f"`vectors` takes an array of floats, a row a document and at most {MAX_DIMENSIONS:,} columns, not one of "
            f"{given.dtype} and shape {given.shape}",
            field="vectors",
        )
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(given, np.float32)
    for start in range(0, len(found), TILE):
        if not (finite := np.isfinite(found[start : start + TILE]).all(axis=1)).all():
            row = start + int(np.argmin(finite))
            raise InputError(
                f"`vectors`: row {row:,} holds a value that is no finite number (of float32); leave it out, or give it "
                "zeros, which match nothing",
                field="vectors",
            )
    return found


def select_by_cosine(
    vectors: F32,
    eligible: Bools,
    *,
    order: I64,
    threshold: float,
    folder: Path | None = None,
    step: Step = QUIET,
) -> Selection:
    """The kept documents, and for each removed one the nearest kept one; ``similarity`` is their cosine.

    Args:
        vectors: float32 (documents, dimensions), finite, maybe a mapped file; zero ones match nothing.
        eligible: bool (documents,).
        order: int64 (documents,), the rank of each.
        threshold: smallest cosine of duplicates.
        folder: of a working file as large as the vectors of what is kept, which is removed at the end; default: a
            temporary one.
        step: told of documents as they are decided.

    Raises:
        ConfigError: arrays of other lengths, or a threshold that is none.
    """
    count = len(vectors)
    if len(eligible) != count or len(order) != count:
        raise ConfigError(f"{count} vectors, but {len(eligible)} eligible flags and {len(order)} ranks")
    if not 0 < threshold <= 1:
        raise ConfigError(f"a cosine above 0 and at most 1 is a threshold, not {threshold}", field="threshold")
    with tempfile.TemporaryDirectory(prefix="vectors-", dir=folder) as work:
        search = _Search(vectors, threshold, Path(work) / "kept.f32")
        rows = np.flatnonzero(eligible & (search.squares > 0))
        search.run(rows[np.argsort(order[rows], kind="stable")], step)
    target = np.where(eligible, search.target, NOT_ELIGIBLE)
    similarity = np.where(eligible, np.where(target == np.arange(count), 1.0, search.best), np.nan)
    nothing = np.zeros(count, np.int64)
    sizes = np.bincount(target[eligible], minlength=count)
    return Selection(target, nothing, nothing, similarity, np.zeros(count, np.bool_), sizes, search.compared)


class _Search:
    """What is known so far of every document, and the directions of those that are kept."""

    def __init__(self, vectors: F32, threshold: float, file: Path) -> None:
        self._mapped, self._vectors, self._file = vectors, read_only(np.asarray(vectors)), file
        self._threshold = threshold
        # Of a cosine of two rounded directions, added up in whatever order (Higham 2002, 3.1); doubled, for all else.
        self._error = 2 * (vectors.shape[1] + 4) * 2.0**-24
        self.squares = np.empty(len(vectors))
        for start in range(0, len(vectors), TILE):
            squared_lengths(self._vectors[start : start + TILE], self.squares[start : start + TILE])
            release_pages(vectors)
        self.best: F64 = np.full(len(vectors), NOTHING)
        self.target: I64 = np.arange(len(vectors))
        self.compared = 0

    def run(self, ranked: I64, step: Step) -> None:
        """Decide documents, those of the best rank first."""
        self._kept = MappedArray(self._file, np.float32, (len(ranked), self._vectors.shape[1]), create=True)
        self._rows, self._count = np.empty(len(ranked), np.int64), 0
        removed = []
        for start in range(0, len(ranked), BLOCK):
            block, first = ranked[start : start + BLOCK], self._count
            removed.append((self._take(block), first))
            step.advance(len(block))
            self._release()
        for rows, first in removed:  # what was kept after them may be nearer to them
            self._compare(rows, self._directions(rows), first)

    def _take(self, block: I64) -> I64:
        """Keep what of a block nothing before it is near to; returns the others."""
        directions = self._directions(block)
        self._compare(block, directions, 0)
        rest = np.flatnonzero(self.best[block] == NOTHING)
        kept = rest[self._greedy(block[rest], directions[rest])]
        places = slice(self._count, self._count + len(kept))
        self._kept.array[places], self._rows[places] = directions[kept], block[kept]
        self._count = places.stop
        return np.delete(block, kept)

    def _compare(self, rows: I64, directions: F32, first: int) -> None:
        """Note for each document the nearest of the kept ones from ``first`` on, where it is near enough."""
        for start in range(first, self._count if len(rows) else first, TILE):
            tile = slice(start, min(start + TILE, self._count))
            products = directions @ self._kept.array[tile].T
            self.compared += products.size
            nearest, known = products.max(axis=1), np.maximum(self.best[rows], self._threshold)
            floor = np.maximum(nearest - self._error, known) - self._error
            some = np.flatnonzero(nearest >= floor)
            at, other = np.nonzero(products[some] >= floor[some, None])
            self._note(rows[some[at]], self._rows[tile][other])
            self._release()

    def _note(self, documents: I64, kept: I64) -> None:
        """Take the nearest kept one of each document; of equally near ones the first in rank, which comes first."""
        cosines = self._cosines(documents, kept)
        order = np.lexsort((-cosines, documents))  # stable
        leading = order[np.unique(documents[order], return_index=True)[1]]
        near = cosines[leading] >= self._threshold
        better = leading[near & (cosines[leading] > self.best[documents[leading]])]
        self.best[documents[better]], self.target[documents[better]] = cosines[better], kept[better]

    def _greedy(self, rows: I64, directions: F32) -> Bools:
        """Which of some documents in order stay: those that are near to no earlier one that stays."""
        products = directions @ directions.T
        self.compared += products.size // 2
        later, earlier = np.nonzero(products >= self._threshold - self._error)
        later, earlier = later[earlier < later], earlier[earlier < later]
        near = products[later, earlier] >= self._threshold + self._error
        unsure = np.flatnonzero(~near)
        near[unsure] = self._cosines(rows[later[unsure]], rows[earlier[unsure]]) >= self._threshold
        kept = np.ones(len(rows), np.bool_)
        for row, others in _grouped(later[near], earlier[near]):
            kept[row] = not kept[others].any()
        return kept

    def _cosines(self, left: I64, right: I64) -> F64:
        found = np.empty(len(left))
        pair_cosines(self._vectors, self.squares, read_only(left), read_only(right), found)
        return found

    def _directions(self, rows: I64) -> F32:
        """Rows at length 1."""
        return np.asarray(self._vectors[rows] / np.sqrt(self.squares[rows])[:, None], np.float32)

    def _release(self) -> None:
        """Give pages of the files back: a block reads all of what is kept."""
        release_pages(self._mapped)
        self._kept.release()


def _grouped(keys: I64, values: I64) -> list[tuple[int, Array]]:
    """The values of each key; keys ascend."""
    found, starts = np.unique(keys, return_index=True)
    return list(zip(found.tolist(), np.split(values, starts[1:]), strict=True)) if len(found) else []
