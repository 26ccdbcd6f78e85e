"""Lines and paragraphs that repeat across a corpus: found in one pass, cut out in another, with a ledger.

A unit (a line, or a paragraph between blank lines) is compared by its bytes without surrounding blanks. One that
occurs in more than ``max_documents`` different documents is boilerplate and goes from all of them, the first
included, so that the order of documents decides nothing. Repeats within one document do not count. Short units
("Yes.", "* * *") are left alone.

Counting keeps 16 bytes a unit on disk and sorts one range of hashes at a time, so memory is bounded whatever the
corpus.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from dq.arrays import I64, Array, read_only
from dq.config import StrictModel
from dq.dedup.config import Resources
from dq.dedup.inverted import hash_table
from dq.dedup.kernels.units import hash_units, without_units
from dq.dedup.shards import Shard, load_shard
from dq.executors import run_in_threads
from dq.text.buffers import Texts, text_batch

__all__ = ["Cut", "RepeatedConfig", "RepeatedUnits", "find_repeated"]


BYTES_A_UNIT = 32
EXAMPLE_BYTES = 200


class RepeatedConfig(StrictModel):
    """Which lines or paragraphs are boilerplate."""

    unit: Literal["line", "paragraph"] = "line"
    """What is compared: single lines, or paragraphs between blank lines."""
    max_documents: Annotated[int, Field(ge=1)] = 10
    """In how many documents a unit may occur before it is cut from all of them."""
    min_bytes: Annotated[int, Field(ge=1)] = 30
    """Shorter units are never cut."""


@dataclass(frozen=True)
class Cut:
    """Texts without repeated units.

    Attributes:
        texts: Arrow large_string array; untouched texts are equal to the byte.
        removed_units, removed_bytes: int64 (n,), separators included in the bytes.
    """

    texts: pa.LargeStringArray
    removed_units: I64
    removed_bytes: I64


class RepeatedUnits:
    """The repeated units of a corpus: a cleaner that rewrites texts and never drops one.

    Attributes:
        config: what counts as repeated.
        hashes: uint64, sorted; documents: int64, in how many documents each occurs.
    """

    name = "repeated_units"

    def __init__(self, config: RepeatedConfig, hashes: Array, documents: Array) -> None:
        self.config, self.hashes, self.documents = config, hashes, documents
        self._table, self._shift = hash_table(hashes)
        self._times = np.zeros(len(hashes), np.int64)
        self._bytes = np.zeros(len(hashes), np.int64)
        self._examples: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.hashes)

    def clean(self, texts: Texts) -> Cut:
        """The texts without repeated units; the ledger remembers what was cut. Not for several threads at once."""
        batch = text_batch(texts)
        count, first, last = len(batch), int(batch.offsets[0]), int(batch.offsets[-1])
        out, out_offsets = np.empty(last - first, np.uint8), np.zeros(count + 1, np.int64)
        removed = np.zeros((count, 2), np.int64)
        times, example = np.zeros(len(self), np.int64), np.zeros((len(self), 2), np.int64)
        without_units(
            read_only(batch.data), read_only(batch.offsets), self.config.unit == "paragraph", self.config.min_bytes,
            read_only(self.hashes), read_only(self._table), self._shift, out, out_offsets, removed, times, example,
        )  # fmt: skip
        self._remember(batch.data, times, example)
        buffers = [None, pa.py_buffer(out_offsets), pa.py_buffer(out[: out_offsets[-1]])]
        return Cut(pa.Array.from_buffers(pa.large_string(), count, buffers), removed[:, 0], removed[:, 1])

    def ledger(self) -> pl.DataFrame:
        """What was cut so far: hash, documents, times, bytes, example (its first 200 bytes); the most bytes first."""
        examples = [self._examples.get(row) for row in range(len(self))]
        return pl.DataFrame(
            {
                "hash": self.hashes,
                "documents": self.documents,
                "times": self._times,
                "bytes": self._bytes,
                "example": pl.Series(examples, dtype=pl.String),
            }
        ).sort(["bytes", "hash"], descending=[True, False])

    def _remember(self, data: Array, times: Array, example: Array) -> None:
        self._times += times
        self._bytes += times * (example[:, 1] - example[:, 0])
        for row in np.flatnonzero(times):
            if int(row) not in self._examples:
                begin, end = example[row]
                self._examples[int(row)] = bytes(data[begin : min(end, begin + EXAMPLE_BYTES)]).decode(
                    "utf-8", "ignore"
                )


def find_repeated(
    shards: Sequence[Shard], config: RepeatedConfig | None = None, *, resources: Resources | None = None
) -> RepeatedUnits:
    """Count in how many documents every line or paragraph occurs, and keep those beyond ``max_documents``."""
    config, resources = config or RepeatedConfig(), resources or Resources()
    with TemporaryDirectory(prefix="dq-repeated-") as temporary:
        paths = [Path(temporary) / f"{shard:05d}.npy" for shard in range(len(shards))]
        tasks = list(zip(shards, paths, strict=True))
        total = sum(run_in_threads(lambda task: _write_units(*task, config), tasks, threads=resources.workers))
        parts = max(1, -(-total * BYTES_A_UNIT // resources.memory_bytes))
        edges = [(part << 64) // parts for part in range(parts + 1)]
        found = [_repeated_in(paths, (low, high - 1), config) for low, high in itertools.pairwise(edges)]
    hashes, documents = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return RepeatedUnits(config, hashes, documents)


def _write_units(shard: Shard, path: Path, config: RepeatedConfig) -> int:
    """Write the unit hashes of a shard, each once a document."""
    batch = load_shard(shard)
    arguments = (read_only(batch.data), read_only(batch.offsets), config.unit == "paragraph", config.min_bytes)
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


def _repeated_in(paths: Sequence[Path], bounds: tuple[int, int], config: RepeatedConfig) -> tuple[Array, Array]:
    low, high = bounds
    values = [np.empty(0, np.uint64)]
    for path in paths:
        hashes = np.load(path, mmap_mode="r")
        values.append(hashes[(hashes >= np.uint64(low)) & (hashes <= np.uint64(high))])
    unique, documents = np.unique(np.concatenate(values), return_counts=True)
    repeated = documents > config.max_documents
    return unique[repeated], documents[repeated].astype(np.int64)
