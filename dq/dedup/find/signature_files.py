"""Signatures of a corpus on disk, one set of files a shard, made once and reused for every threshold.

    signatures/00000.signatures.npy   uint32 (n, num_perm)
    signatures/00000.keys.npy         uint64 (n, 2)
    signatures/00000.texts.npy        uint64 (n,)
    signatures/00000.counts.npy       int64 (n,); written last: it marks the shard as done
    signatures/first_documents.npy    int64 (shards + 1,), the number of the first document of each shard, and of all
    signatures/record.json            what they were made from

A restart goes on after the last finished shard, if inputs and configuration are the same; else it starts again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import I64, U32, U64, Array, by_runs, offsets_of
from dq.config import canonical_json
from dq.dedup.config import ShingleConfig
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.shards import Shard, load_shard
from dq.dedup.signatures import Signed, sign
from dq.store import write_bytes_atomic
from dq.store.arrays import load_array, save_array, save_parts
from dq.text import TextBatch

FORMAT_VERSION = 2
ROWS_AT_A_TIME = 100_000
FIRST_DOCUMENTS = "first_documents.npy"


@dataclass(frozen=True)
class SignatureFiles:
    """Reads what :func:`sign_shards` wrote."""

    folder: Path
    config: ShingleConfig

    @property
    def first_documents(self) -> I64:
        """The number of the first document of each shard, and of all: int64 (shards + 1,)."""
        found: I64 = load_array(self.folder / FIRST_DOCUMENTS)
        return found

    @property
    def documents(self) -> int:
        """Documents of all shards."""
        return int(self.first_documents[-1])

    def signatures(self, documents: I64) -> U32:
        """uint32 (n, num_perm), of documents by their ascending numbers."""
        found = np.empty((len(documents), self.config.num_perm), np.uint32)
        at = 0
        for shard, within in by_runs(documents, self.first_documents):
            mapped = load_array(_path(self.folder, shard, "signatures"), mapped=True)
            found[at : at + len(within)] = mapped[within]
            at += len(within)
        return found

    def keys(self, shard: int) -> U64:
        """uint64 (n, 2)."""
        return self._load(shard, "keys")

    def texts(self, shard: int) -> U64:
        """uint64 (n,): equal for equal canonical texts."""
        return self._load(shard, "texts")

    def counts(self, shard: int) -> I64:
        """int64 (n,): shingles with repeats."""
        return self._load(shard, "counts")

    def _load(self, shard: int, kind: str) -> Array:
        loaded: Array = load_array(_path(self.folder, shard, kind))
        return loaded


def _path(folder: Path, shard: int, kind: str) -> Path:
    return folder / f"{shard:05d}.{kind}.npy"


@dataclass(frozen=True)
class _SignTask:
    """A shard to sign."""

    texts: Shard
    shard: int
    config: ShingleConfig
    folder: Path
    threads: int

    @property
    def output(self) -> Path:
        """Shingles of each document."""
        return _path(self.folder, self.shard, "counts")

    def documents(self) -> int:
        """Of the shard, once it is signed."""
        return len(load_array(self.output, mapped=True))


def sign_shards(
    shards: Sequence[Shard], config: ShingleConfig, *, folder: Path, inputs: str, workers: ShardWorkers
) -> SignatureFiles:
    """Make or complete the signature files of ``shards`` in ``folder``.

    Args:
        shards: texts, or functions that read them.
        config: units, n-gram length, permutations.
        folder: where the files go.
        inputs: fingerprint of what the shards hold; another one, or none, discards the files.
        workers: who sign.
    """
    made_from = {"version": FORMAT_VERSION, "config": config, "inputs": inputs, "shards": len(shards)}
    record, content = folder / "record.json", canonical_json(made_from).encode()
    if not inputs or not record.exists() or record.read_bytes() != content:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_bytes_atomic(record, content)

    unsigned = sum(not _path(folder, shard, "counts").exists() for shard in range(len(shards)))
    outer = min(workers.threads, max(1, unsigned))
    inner = max(1, workers.threads // outer) if workers.executor is None else 1
    tasks = [_SignTask(texts, shard, config, folder, inner) for shard, texts in enumerate(shards)]
    workers.run(_sign, tasks, threads=outer, amount=_SignTask.documents)
    if not (folder / FIRST_DOCUMENTS).exists():
        save_array(folder / FIRST_DOCUMENTS, offsets_of([task.documents() for task in tasks]))
    return SignatureFiles(folder, config)


def _sign(task: _SignTask) -> None:
    batch = load_shard(task.texts)
    rest: list[dict[str, Array]] = []
    signatures = (rows.signatures for rows in _signed_rows(batch, task.config, threads=task.threads, rest=rest))
    save_parts(_path(task.folder, task.shard, "signatures"), signatures, len(batch))
    for kind in ("keys", "texts", "counts"):
        save_array(_path(task.folder, task.shard, kind), np.concatenate([rows[kind] for rows in rest]))


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
