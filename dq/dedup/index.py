"""An index of documents kept earlier, so that new shards are deduplicated against them without reading them again.

    00000/ids.parquet       id, source
    00000/signatures.u32    (n, num_perm)
    00000/bands.u64         (bands, n), each band sorted
    00000/rows.i64          (bands, n), which document each sorted band hash belongs to
    00000/shingles.u64      sorted unique shingles of the documents, one after another
    00000/offsets.i64       (n + 1)
    00000/texts.u64         (n,), hashes of canonical texts
    00000/record.json       what it was made from

One folder a batch, built under another name and renamed when it is complete: an interruption leaves the index as it
was, and adding the same batch twice does nothing. Shingles are kept so that a later document can be *proven* to be a
duplicate; they take about 1.3 times the bytes of the text, the rest about 1 kB a document.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.arrays import Array, Bools, distinct, offsets_of, read_only
from dq.config import canonical_json, fingerprint
from dq.dedup.bands import choose_bands
from dq.dedup.config import DedupConfig
from dq.dedup.kernels.candidates import hash_bands
from dq.dedup.shards import Shard, load_shard
from dq.dedup.shingles import shingle
from dq.dedup.signatures import sign
from dq.errors import WorkspaceError
from dq.store import file_sha256, read_json, read_parquet, write_bytes_atomic
from dq.store.arrays import MappedArray

FORMAT_VERSION = 2
SCAN_ROWS = 1 << 20


@dataclass(frozen=True)
class Met:
    """Earlier documents that share a band with some new one: what is needed to verify them."""

    ids: pl.DataFrame
    """DataFrame id, source."""
    signatures: Array
    """uint32 (n, num_perm)."""
    texts: Array
    """uint64 (n,), equal for equal canonical texts."""
    shingles: list[Array]
    """One sorted unique uint64 array a document."""


@dataclass(frozen=True)
class _Batch:
    folder: Path
    record: dict[str, Any]


class DuplicateIndex:
    """Documents kept earlier, in ``folder``, all under one configuration."""

    def __init__(self, folder: Path, config: DedupConfig) -> None:
        """Open an index, or an empty one where the folder does not exist.

        Raises:
            WorkspaceError: the index was made with another configuration.
        """
        self.folder, self.config, self.bands = folder, config, choose_bands(config)
        self._batches = [_Batch(path.parent, read_json(path)) for path in sorted(folder.glob("[0-9]*/record.json"))]
        for batch in self._batches:
            made = batch.record
            if other := _differences({"normalization": "words", **made["config"]}, json.loads(canonical_json(config))):
                raise WorkspaceError(
                    f"{batch.folder}: the index was made with other settings: {other}; use those, or another folder "
                    "for `index`",
                    field="index",
                )
            if made["version"] != FORMAT_VERSION:
                raise WorkspaceError(
                    f"{batch.folder}: the index was made by another version of dq; use another folder for `index`",
                    field="index",
                )

    def __len__(self) -> int:
        return sum(batch.record["documents"] for batch in self._batches)

    def holds(self, inputs: str) -> bool:
        """Whether a batch with this fingerprint was added."""
        return any(batch.record["inputs"] == inputs for batch in self._batches)

    def state_before(self, inputs: str) -> str:
        """Fingerprint of what :meth:`meet` compares a batch made of ``inputs`` with: the batches added before it."""
        earlier = self._before(inputs)
        return fingerprint([[batch.record["inputs"], file_sha256(batch.folder / "ids.parquet")] for batch in earlier])

    def ids_of(self, inputs: str) -> pl.DataFrame | None:
        """The documents (id, source) that the batch made of ``inputs`` added, if it was added."""
        batch = next((batch for batch in self._batches if batch.record["inputs"] == inputs), None)
        return None if batch is None else read_parquet(batch.folder / "ids.parquet")

    def _before(self, inputs: str) -> Iterator[_Batch]:
        return itertools.takewhile(lambda batch: batch.record["inputs"] != inputs, self._batches)

    def meet(self, bands: Iterable[Array], *, inputs: str = "") -> Met:
        """The earlier documents that share a band with some new one.

        Batches from the one made of the same ``inputs`` on are left out: a repeated run sees what the first one saw.

        Args:
            bands: uint64 (n,), the hashes of each band of new documents, one band after another.
            inputs: fingerprint of the new documents.
        """
        batches = list(self._before(inputs) if inputs else self._batches)
        met = [np.zeros(batch.record["documents"], np.bool_) for batch in batches]
        for band, hashes in enumerate(bands):
            wanted = distinct(hashes)
            for batch, found in zip(batches, met, strict=True):
                found[_of_band(batch, band, wanted)] = True
        parts = [_read(batch, np.flatnonzero(found)) for batch, found in zip(batches, met, strict=True)]
        ids = pl.concat([pl.DataFrame(schema={"id": pl.String, "source": pl.String}), *(part.ids for part in parts)])
        return Met(
            ids,
            np.concatenate([np.empty((0, self.config.num_perm), np.uint32), *(part.signatures for part in parts)]),
            np.concatenate([np.empty(0, np.uint64), *(part.texts for part in parts)]),
            [shingles for part in parts for shingles in part.shingles],
        )

    def add(self, shards: Sequence[Shard], kept: Bools, *, ids: pl.DataFrame, inputs: str) -> None:
        """Add the kept documents of a batch.

        Args:
            shards: the texts, as they were deduplicated.
            kept: bool (documents,).
            ids: DataFrame with ``id`` and, if there are any, ``source``: one row a document.
            inputs: fingerprint of the batch; a batch that is there already is not added again.
        """
        if self.holds(inputs):
            return
        number = 1 + int(self._batches[-1].folder.name) if self._batches else 0
        target, partial = self.folder / f"{number:05d}", self.folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        count = self._write(partial, shards, kept)
        columns = [pl.col("id").cast(pl.String)]
        columns.append(pl.col("source").cast(pl.String) if "source" in ids.columns else pl.lit("").alias("source"))
        ids.filter(pl.Series(kept)).select(columns).write_parquet(partial / "ids.parquet")
        record = {"version": FORMAT_VERSION, "config": self.config, "bands": asdict(self.bands), "inputs": inputs}
        write_bytes_atomic(partial / "record.json", canonical_json({**record, "documents": count}).encode())
        partial.rename(target)
        self._batches.append(_Batch(target, read_json(target / "record.json")))

    def _write(self, folder: Path, shards: Sequence[Shard], kept: Array) -> int:
        """Signatures, shingles and band tables of the kept documents; returns their number."""
        lengths: list[Array] = []
        texts = [np.empty(0, np.uint64)]
        begin = 0
        with (folder / "signatures.u32").open("wb") as signatures, (folder / "shingles.u64").open("wb") as shingles:
            for shard in shards:
                batch = load_shard(shard)
                chosen = np.flatnonzero(kept[begin : begin + len(batch)])
                begin += len(batch)
                signed = sign(batch, self.config.shingles)
                signatures.write(signed.signatures[chosen].tobytes())
                texts.append(signed.texts[chosen])
                made = shingle(batch, self.config, documents=chosen)
                shingles.write(made.hashes.tobytes())
                lengths.append(np.diff(made.offsets))
        offsets = offsets_of(np.concatenate([np.empty(0, np.int64), *lengths]))
        offsets.tofile(folder / "offsets.i64")
        np.concatenate(texts).tofile(folder / "texts.u64")
        count = len(offsets) - 1
        _write_bands(folder, count, bands=self.bands.bands, rows=self.bands.rows, num_perm=self.config.num_perm)
        return count


def _differences(made: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The settings that are not as wanted; an index of a version without normalisations compared words."""
    return ", ".join(
        f"{name} {made.get(name)}, not {wanted[name]}" for name in wanted if made.get(name) != wanted[name]
    )


def _write_bands(folder: Path, count: int, *, bands: int, rows: int, num_perm: int) -> None:
    signatures = MappedArray(folder / "signatures.u32", np.uint32, (count, num_perm))
    lengths = np.diff(np.fromfile(folder / "offsets.i64", np.int64))
    hashes = MappedArray(folder / "bands.u64", np.uint64, (bands, count), create=True)
    numbers = MappedArray(folder / "rows.i64", np.int64, (bands, count), create=True)
    for at in range(0, count, SCAN_ROWS):
        part = slice(at, at + SCAN_ROWS)
        hash_bands(read_only(signatures.array[part]), bands, rows, hashes.array[:, part])
        signatures.release()
    # Documents without shingles match nothing: their hashes, all alike, go to values of their own.
    empty = np.flatnonzero(lengths == 0)
    for band in range(bands):
        values = hashes.array[band].copy()
        values[empty] = empty.astype(np.uint64)
        order = np.argsort(values, kind="stable")
        hashes.array[band], numbers.array[band] = values[order], order
        hashes.release()
        numbers.release()


def _of_band(batch: _Batch, band: int, wanted: Array) -> Array:
    """The rows of a batch that have one of the sorted hashes in a band."""
    shape = batch.record["bands"]["bands"], batch.record["documents"]
    hashes = MappedArray(batch.folder / "bands.u64", np.uint64, shape).array[band]
    begins, ends = (np.searchsorted(hashes, wanted, side) for side in ("left", "right"))
    lengths = ends - begins
    places = np.repeat(begins - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    rows: Array = MappedArray(batch.folder / "rows.i64", np.int64, shape).array[band][places]
    return rows


def _read(batch: _Batch, rows: Array) -> Met:
    """Some documents of a batch."""
    folder, shape = batch.folder, (batch.record["documents"], batch.record["config"]["num_perm"])
    signatures = MappedArray(folder / "signatures.u32", np.uint32, shape).array[rows]
    offsets = np.fromfile(folder / "offsets.i64", np.int64)
    shingles = MappedArray(folder / "shingles.u64", np.uint64, (int(offsets[-1]),))
    sets = [shingles.array[offsets[row] : offsets[row + 1]].copy() for row in rows]
    texts = np.fromfile(folder / "texts.u64", np.uint64)[rows]
    return Met(read_parquet(folder / "ids.parquet")[rows], signatures, texts, sets)
