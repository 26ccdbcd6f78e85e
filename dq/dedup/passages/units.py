"""Lines and paragraphs that repeat across a corpus: counted in one pass, cut out in another.

A unit (a line, or a paragraph between blank lines) is compared as the signals see it, tidy (`dq.text.tidy`), without
blanks at its ends, and cut as it is written. One that
occurs in more than ``max_documents`` different documents is boilerplate and goes from all of them, the first
included, so that the order of documents decides nothing. Repeats within one document do not count. Short units
("Yes.", "* * *") are left alone.

    boilerplate = RepeatedUnits(unit="line").survey(shards)     reads the whole corpus
    boilerplate.clean(texts)                                    a cleaner like any other

Counting keeps 16 bytes a unit on disk and sorts one range of hashes at a time, so memory is bounded whatever the
corpus.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from dq.arrays import I64, U64, Array, read_only
from dq.config import StrictModel
from dq.dedup.config import Resources
from dq.dedup.inverted import hash_table
from dq.dedup.kernels.inverted import HashTable
from dq.dedup.kernels.units import Batch, Met, Rest, Units, hash_units, without_units
from dq.dedup.shards import Shard, load_shard
from dq.executors import run_in_threads
from dq.text import Cleaned, CorpusCleaner, Texts, text_batch, tidied, tidy_table

BYTES_A_UNIT = 32
EXAMPLE_BYTES = 200


class RepeatedUnits(StrictModel):
    """Which lines or paragraphs are boilerplate: a corpus cleaner."""

    name: ClassVar[str] = "repeated_units"
    version: ClassVar[int] = 2

    unit: Literal["line", "paragraph"] = "line"
    """What is compared: single lines, or paragraphs between blank lines."""
    max_documents: Annotated[int, Field(ge=1)] = 10
    """In how many documents a unit may occur before it is cut from all of them."""
    min_bytes: Annotated[int, Field(ge=1)] = 30
    """Shorter units are never cut."""

    @property
    def units(self) -> Units:
        """What is compared, as the kernels take it."""
        return Units(self.unit == "paragraph", self.min_bytes, tidy_table())

    def config(self) -> Mapping[str, Any]:
        """The fields: what decides the result, beside the corpus."""
        return self.model_dump()

    def survey(self, shards: Sequence[Shard], *, resources: Resources | None = None) -> Boilerplate:
        """Count in how many documents every unit occurs; shards and resources change nothing but the time."""
        resources = resources or Resources()
        with TemporaryDirectory(prefix="dq-repeated-") as temporary:
            paths = [Path(temporary) / f"{shard:05d}.npy" for shard in range(len(shards))]
            tasks = list(zip(shards, paths, strict=True))
            total = sum(run_in_threads(lambda task: _write_units(*task, self), tasks, threads=resources.threads))
            parts = max(1, -(-total * BYTES_A_UNIT // resources.memory_bytes))
            edges = [(part << 64) // parts for part in range(parts + 1)]
            bounds = [(low, high - 1) for low, high in itertools.pairwise(edges)]
            found = [_repeated_in(paths, pair, self.max_documents) for pair in bounds]
        hashes, documents = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return Boilerplate(self, hashes, documents)


@dataclass(frozen=True)
class Cut:
    """Texts without repeated units."""

    texts: pa.LargeStringArray
    """Untouched texts are equal to the byte."""
    removed_units: I64
    """(n,)."""
    removed_bytes: I64
    """(n,), separators included."""
    ledger: pl.DataFrame
    """What was cut: hash, documents (of the corpus that it is in), times (here), bytes (tidy), example (its
    first 200 bytes); the most bytes first."""


@dataclass(frozen=True)
class Boilerplate:
    """The repeated units of a corpus: a cleaner that cuts them, in several threads or processes if need be."""

    options: RepeatedUnits
    """What counted as repeated."""
    hashes: U64
    """Of the units, sorted."""
    documents: I64
    """In how many documents each occurs."""

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def name(self) -> str:
        """As of :class:`RepeatedUnits`."""
        return self.options.name

    @property
    def version(self) -> int:
        """As of :class:`RepeatedUnits`."""
        return self.options.version

    def config(self) -> Mapping[str, Any]:
        """What decides the result: the options, and which units the survey found."""
        return {**self.options.config(), "units": hashlib.sha256(self.hashes.tobytes()).hexdigest()}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts: removed_units, removed_bytes."""
        cut = self.cut(texts)
        counts = {"removed_units": int(cut.removed_units.sum()), "removed_bytes": int(cut.removed_bytes.sum())}
        return Cleaned(cut.texts, int(np.count_nonzero(cut.removed_units)), counts)

    def cut(self, texts: Texts) -> Cut:
        """Rewrite a batch, and say what was cut where."""
        batch = text_batch(texts)
        tidy = tidied(batch)
        count, first, last = len(batch), int(batch.offsets[0]), int(batch.offsets[-1])
        rest = Rest(np.empty(last - first, np.uint8), np.zeros(count + 1, np.int64), np.zeros((count, 2), np.int64))
        met = Met(np.zeros(len(self), np.int64), np.zeros((len(self), 2), np.int64))
        given = Batch(read_only(batch.data), read_only(batch.offsets), tidy.data, tidy.offsets)
        without_units(given, self.options.units, self._table, rest, met)
        buffers = [None, pa.py_buffer(rest.offsets), pa.py_buffer(rest.data[: rest.offsets[-1]])]
        left = pa.Array.from_buffers(pa.large_string(), count, buffers)
        return Cut(left, rest.removed[:, 0], rest.removed[:, 1], self._ledger(tidy.data, met))

    @cached_property
    def _table(self) -> HashTable:
        return hash_table(self.hashes)

    def _ledger(self, data: Array, met: Met) -> pl.DataFrame:
        rows = np.flatnonzero(met.times)
        times, (begins, ends) = met.times[rows], met.example[rows].T
        examples = [
            bytes(data[begin : min(end, begin + EXAMPLE_BYTES)]).decode("utf-8", "ignore")
            for begin, end in zip(begins, ends, strict=True)
        ]
        return pl.DataFrame(
            {
                "hash": self.hashes[rows],
                "documents": self.documents[rows],
                "times": times,
                "bytes": times * (ends - begins),
                "example": pl.Series(examples, dtype=pl.String),
            }
        ).sort(["bytes", "hash"], descending=[True, False])


CLEANERS: dict[str, type[CorpusCleaner]] = {RepeatedUnits.name: RepeatedUnits}
"""Corpus cleaners by the name that a job's YAML gives them."""


def _write_units(shard: Shard, path: Path, options: RepeatedUnits) -> int:
    """Write the unit hashes of a shard, each once a document."""
    tidy = tidied(load_shard(shard))
    arguments = (tidy.data, tidy.offsets, options.units)
    count = hash_units(*arguments, np.empty(0, np.uint64), np.empty(0, np.int64))
    hashes, documents = np.empty(count, np.uint64), np.empty(count, np.int64)
    if count:
        hash_units(*arguments, hashes, documents)
    order = np.lexsort((hashes, documents))
    hashes, documents = hashes[order], documents[order]
    first = np.ones(count, np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (documents[1:] != documents[:-1])
    np.save(path, hashes[first])
    return int(first.sum())


def _repeated_in(paths: Sequence[Path], bounds: tuple[int, int], max_documents: int) -> tuple[Array, Array]:
    low, high = bounds
    values = [np.empty(0, np.uint64)]
    for path in paths:
        hashes = np.load(path, mmap_mode="r")
        values.append(hashes[(hashes >= np.uint64(low)) & (hashes <= np.uint64(high))])
    unique, documents = np.unique(np.concatenate(values), return_counts=True)
    repeated = documents > max_documents
    return unique[repeated], documents[repeated].astype(np.int64)
