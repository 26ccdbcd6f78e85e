"""Find the duplicates of a corpus: signatures, bands, candidates, verification. Texts are read twice at most.

Working files live in ``folder/work`` and are removed at the end; signatures stay, for another threshold. A run that was
killed goes on from its finished signature shards, and the result is the same to the byte for any number of workers,
any memory and any number of restarts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.dedup.bands import choose_bands
from dq.dedup.candidates import Candidates, find_candidates
from dq.dedup.classes import Classes, ClassTables, group, write_tables
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.duplicates import Counts, Duplicates, LargeBuckets
from dq.dedup.signature_files import Shard, sign_shards
from dq.dedup.verify import ClassShingles, needed_classes, shingle_classes, verify

__all__ = ["find_duplicates"]


def find_duplicates(
    shards: Sequence[Shard],
    config: DedupConfig | None = None,
    *,
    folder: Path | None = None,
    inputs: str = "",
    resources: Resources | None = None,
) -> Duplicates:
    """Exact copies and verified near-duplicate pairs among the documents of all shards.

    Args:
        shards: texts of each shard (list, Series, Arrow array), or functions that read them; called twice at most.
        config: shingles, threshold, bands.
        folder: where signatures and result are written; without one nothing is left behind.
        inputs: fingerprint of the shards' contents; signatures made from another one are made again.
        resources: threads and memory.
    """
    config, resources = config or DedupConfig(), resources or Resources()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="dq-dedup-") as temporary:
            return _find(shards, config, folder=Path(temporary), inputs=inputs, resources=resources)
    found = _find(shards, config, folder=folder, inputs=inputs, resources=resources)
    found.write(folder)
    return found


def _find(
    shards: Sequence[Shard], config: DedupConfig, *, folder: Path, inputs: str, resources: Resources
) -> Duplicates:
    bands = choose_bands(config)
    files = sign_shards(shards, config.shingles, folder=folder / "signatures", inputs=inputs, resources=resources)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    classes = group(files)
    tables = write_tables(files, classes, bands, folder=work)
    candidates = find_candidates(
        tables, bands, max_bucket=config.max_bucket, path=work / "candidates.i64", memory_bytes=resources.memory_bytes
    )
    shingles = shingle_classes(
        shards,
        files.sizes,
        classes,
        needed=needed_classes(candidates, len(classes)),
        config=config,
        path=work / "shingles.u64",
        resources=resources,
    )
    pairs = verify(candidates, classes, shingles, config=config, resources=resources)
    buckets = _large_buckets(candidates, classes, tables, shingles=shingles)
    shutil.rmtree(work)
    return Duplicates(
        config, bands, _counts(candidates, classes, pairs, buckets=buckets), pairs, classes.first_copy, buckets
    )


def _counts(candidates: Candidates, classes: Classes, pairs: pl.DataFrame, *, buckets: LargeBuckets) -> Counts:
    empty = int((classes.first_copy < 0).sum())
    return Counts(
        documents=len(classes.first_copy),
        empty=empty,
        exact_copies=len(classes.first_copy) - empty - len(classes),
        candidate_pairs=candidates.compared,
        skipped_by_signature=candidates.skipped,
        verified_pairs=pairs.height,
        large_buckets=len(buckets),
        large_bucket_documents=len(buckets.documents),
    )


def _large_buckets(
    candidates: Candidates, classes: Classes, tables: ClassTables, *, shingles: ClassShingles
) -> LargeBuckets:
    """Buckets in an order of their own (that of their members), whatever the ranges they were found in."""
    found = sorted(candidates.buckets, key=lambda members: (int(members[0]), len(members), members.tobytes()))
    nothing = np.empty(0, np.int64)
    members = np.concatenate([nothing, *found])
    rows, numbers = np.unique(members, return_inverse=True)
    lengths = shingles.lengths[rows]
    packed: list[np.ndarray[Any, Any]] = [shingles.of(row) for row in rows]
    return LargeBuckets(
        offsets=_ends([len(bucket) for bucket in found]),
        members=numbers.astype(np.int64),
        documents=classes.representative[rows],
        shingle_offsets=_ends(lengths),
        shingles=np.concatenate([np.empty(0, np.uint64), *packed]),
        signatures=np.array(tables.signatures.array[rows]),
    )


def _ends(lengths: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends
