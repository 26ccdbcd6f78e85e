"""Signatures of a corpus on disk, one set of files a shard, made once and reused for every threshold.

    signatures/00000.signatures.npy   uint32 (n, num_perm)
    signatures/00000.keys.npy         uint64 (n, 2)
    signatures/00000.texts.npy        uint64 (n,)
    signatures/00000.counts.npy       int64 (n,); written last: it marks the shard as done
    signatures/record.json            what they were made from

A restart goes on after the last finished shard, if inputs and configuration are the same; else it starts again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import I64, U32, U64, Array
from dq.config import canonical_json
from dq.dedup.config import Resources, ShingleConfig
from dq.dedup.shards import Shard, load_shard
from dq.dedup.signatures import Signed, sign
from dq.executors import run_in_threads
from dq.store import write_bytes_atomic
from dq.store.arrays import save_array, save_parts
from dq.text import TextBatch

FORMAT_VERSION = 2
ROWS_AT_A_TIME = 100_000


@dataclass(frozen=True)
class SignatureFiles:
    """Reads what :func:`sign_shards` wrote. ``sizes`` is the number of documents of each shard."""

    folder: Path
    config: ShingleConfig
    sizes: tuple[int, ...]

    @property
    def documents(self) -> int:
        """Documents of all shards."""
        return sum(self.sizes)

    def signatures(self, shard: int) -> U32:
        """uint32 (n, num_perm), mapped."""
        mapped: Array = np.load(_path(self.folder, shard, "signatures"), mmap_mode="r")
        return mapped

    def all_keys(self) -> U64:
        """uint64 (documents, 2)."""
        return np.concatenate([np.empty((0, 2), np.uint64), *(self._load(s, "keys") for s in range(len(self.sizes)))])

    def all_texts(self) -> U64:
        """uint64 (documents,): equal for equal canonical texts."""
        return np.concatenate([np.empty(0, np.uint64), *(self._load(s, "texts") for s in range(len(self.sizes)))])

    def all_counts(self) -> I64:
        """int64 (documents,): shingles with repeats."""
        return np.concatenate([np.empty(0, np.int64), *(self._load(s, "counts") for s in range(len(self.sizes)))])

    def _load(self, shard: int, kind: str) -> Array:
        loaded: Array = np.load(_path(self.folder, shard, kind))
        return loaded


def _path(folder: Path, shard: int, kind: str) -> Path:
    return folder / f"{shard:05d}.{kind}.npy"


def sign_shards(
    shards: Sequence[Shard], config: ShingleConfig, *, folder: Path, inputs: str, resources: Resources
) -> SignatureFiles:
    """Make or complete the signature files of ``shards`` in ``folder``.

    Args:
        shards: texts, or functions that read them.
        config: units, n-gram length, permutations.
        folder: where the files go.
        inputs: fingerprint of what the shards hold; another one, or none, discards the files.
        resources: threads.
    """
    made_from = {"version": FORMAT_VERSION, "config": config, "inputs": inputs, "shards": len(shards)}
    record, content = folder / "record.json", canonical_json(made_from).encode()
    if not inputs or not record.exists() or record.read_bytes() != content:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_bytes_atomic(record, content)

    unsigned = [shard for shard in range(len(shards)) if not _path(folder, shard, "counts").exists()]
    outer = min(resources.threads, max(1, len(unsigned)))
    inner = max(1, resources.threads // outer)

    def one(shard: int) -> None:
        batch = load_shard(shards[shard])
        rest: list[dict[str, Array]] = []
        signatures = (rows.signatures for rows in _signed_rows(batch, config, threads=inner, rest=rest))
        save_parts(_path(folder, shard, "signatures"), signatures, len(batch))
        for kind in ("keys", "texts", "counts"):
            save_array(_path(folder, shard, kind), np.concatenate([rows[kind] for rows in rest]))

    run_in_threads(one, unsigned, threads=outer)
    sizes = (len(np.load(_path(folder, shard, "counts"), mmap_mode="r")) for shard in range(len(shards)))
    return SignatureFiles(folder, config, tuple(sizes))


def _signed_rows(
    batch: TextBatch,
    config: ShingleConfig,
    *,
    threads: int,
    rest: list[dict[str, Array]],
) -> Iterator[Signed]:
    """Sign some rows at a time, so that the signatures of ten million tiny texts are not held; fills ``rest``."""
    for at in range(0, max(1, len(batch)), ROWS_AT_A_TIME):
        part = TextBatch(batch.data, batch.offsets[at : at + ROWS_AT_A_TIME + 1])
        signed = sign(part, config, threads=threads)
        rest.append({"keys": signed.keys, "texts": signed.texts, "counts": signed.counts})
        yield signed
