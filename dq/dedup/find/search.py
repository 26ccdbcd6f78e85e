"""Find the duplicates of a corpus: signatures, bands, candidates, verification. Texts are read twice at most.

Working files live in ``folder/work`` and are removed at the end; signatures stay, for another threshold. A run that was
killed goes on from its finished signature shards, and the result is the same to the byte for any number of threads,
any memory and any number of restarts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import Array, offsets_of
from dq.dedup.bands import choose_bands
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.duplicates import FROZEN_SCHEMA, RECORD, Counts, Duplicates, LargeBuckets
from dq.dedup.find.candidates import Candidates, find_candidates
from dq.dedup.find.class_shingles import ClassShingles, shingle_classes
from dq.dedup.find.equivalence import ClassTables, EquivalenceClasses, fill_tables, group_by_keys, write_tables
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import sign_shards
from dq.dedup.find.verify import needed_classes, verify
from dq.dedup.index import DuplicateIndex, Met
from dq.dedup.shards import Shard
from dq.errors import ConfigError
from dq.executors import QUIET, Executor, Step, require_live_polars
from dq.store.arrays import save_parts
from dq.store.files import remove_partials

ROWS_A_RELEASE = 64  # as many mapped rows are read before their pages are given back


def find_duplicates(
    shards: Sequence[Shard],
    config: DedupConfig | None = None,
    *,
    folder: Path | None = None,
    inputs: str = "",
    index: DuplicateIndex | None = None,
    resources: Resources | None = None,
    executor: Executor | None = None,
    step: Step = QUIET,
) -> Duplicates:
    """Exact copies and verified near-duplicate pairs among the documents of all shards.

    Args:
        shards: texts of each shard (list, Series, Arrow array), or functions that read them; called twice at most.
        config: shingles, threshold, bands.
        folder: where signatures and result are written; without one nothing is left behind.
        inputs: fingerprint of the shards' contents. Signatures in the folder are used again only under the same one;
            without one they are always made anew.
        index: earlier documents to compare with as well; its configuration counts.
        resources: threads and memory.
        executor: who reads the texts, a task a shard, where that is not these threads; shards are then functions that
            can be sent there, and the folder one that is seen there.
        step: told of documents as they are signed.
    """
    require_live_polars()
    config, resources = config or (DedupConfig() if index is None else index.config), resources or Resources()
    if index is not None and index.config != config:
        raise ConfigError(f"{index.folder}: the index was made with other settings; leave config out to use its own")
    how = resources, ShardWorkers(resources.threads, executor, step)
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="dq-dedup-") as temporary:
            return _find(shards, config, folder=Path(temporary), inputs=inputs, index=index, how=how)
    (folder / RECORD).unlink(missing_ok=True)
    remove_partials(folder)
    found = _find(shards, config, folder=folder, inputs=inputs, index=index, how=how)
    found.write(folder)
    return found


def _find(
    shards: Sequence[Shard],
    config: DedupConfig,
    *,
    folder: Path,
    inputs: str,
    index: DuplicateIndex | None,
    how: tuple[Resources, ShardWorkers],
) -> Duplicates:
    resources, workers = how
    bands = choose_bands(config)
    files = sign_shards(shards, config.shingles, folder=folder / "signatures", inputs=inputs, workers=workers)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    classes = group_by_keys(files, folder=work, memory_bytes=resources.memory_bytes)
    tables = write_tables(files, classes, bands, folder=work, count=len(classes), threads=workers.threads)
    own = len(classes)
    met = None if index is None else index.meet(tables.hashes.array, inputs=inputs)
    if met is not None and len(met.shingles):
        classes = classes.extended(files, met.texts)
        tables = write_tables(files, classes, bands, folder=work, count=len(classes), threads=workers.threads)
        fill_tables(tables, slice(own, len(classes)), met.signatures, bands=bands)
    candidates = find_candidates(
        tables,
        bands,
        max_bucket=config.max_bucket,
        frozen_from=own,
        folder=work,
        memory_bytes=resources.memory_bytes,
        workers=workers,
    )
    shingles, measured = shingle_classes(
        shards,
        files,
        classes,
        needed=needed_classes(candidates, len(classes)),
        given=[] if met is None else met.shingles,
        path=work / "shingles.u64",
        workers=workers,
    )
    pairs = verify(candidates, classes, shingles, config=config, resources=resources)
    buckets = _large_buckets(candidates, classes, tables, shingles=shingles, folder=folder)
    shutil.rmtree(work)
    return Duplicates(
        config=config,
        bands=bands,
        counts=_counts(candidates, classes, own, pairs=pairs, buckets=buckets),
        pairs=pairs,
        copies=classes.copies,
        empty=classes.empty,
        measured=measured,
        buckets=buckets,
        frozen=_frozen(met, classes),
    )


def _frozen(met: Met | None, classes: EquivalenceClasses) -> pl.DataFrame:
    if met is None:
        return pl.DataFrame(schema=FROZEN_SCHEMA)
    numbers = pl.Series("document", np.arange(met.ids.height) + classes.documents, dtype=pl.Int64)
    return met.ids.select(numbers, "id", "source", first_text=pl.Series(classes.earlier_text, dtype=pl.Int64))


def _counts(
    candidates: Candidates, classes: EquivalenceClasses, own: int, *, pairs: pl.DataFrame, buckets: LargeBuckets
) -> Counts:
    exact = int((classes.copies["first_text"] != classes.copies["document"]).sum())
    return Counts(
        documents=classes.documents,
        empty=len(classes.empty),
        exact_copies=exact,
        equal_shingles=classes.documents - len(classes.empty) - own - exact,
        candidate_pairs=candidates.compared,
        skipped_by_signature=candidates.skipped,
        verified_pairs=pairs.height,
        large_buckets=len(buckets),
        large_bucket_documents=len(buckets.documents),
    )


def _large_buckets(
    candidates: Candidates, classes: EquivalenceClasses, tables: ClassTables, *, shingles: ClassShingles, folder: Path
) -> LargeBuckets:
    """Buckets in an order of their own (that of their members), whatever the ranges they were found in."""
    found = sorted(candidates.buckets, key=lambda members: (int(members[0]), len(members), members.tobytes()))
    members = np.concatenate([np.empty(0, np.int64), *found])
    rows, numbers = np.unique(members, return_inverse=True)
    places = shingles.places(rows)
    ends = offsets_of(shingles.lengths[places])
    save_parts(LargeBuckets.path(folder, "shingles"), _one_by_one(shingles, places), int(ends[-1]))
    LargeBuckets.save(
        folder,
        offsets=offsets_of([len(bucket) for bucket in found]),
        members=numbers.astype(np.int64),
        documents=classes.representative[rows],
        shingle_offsets=ends,
        digests=np.array(tables.digests.array[rows]),
    )
    return LargeBuckets.read(folder)


def _one_by_one(shingles: ClassShingles, places: Array) -> Iterator[Array]:
    """The shingles at each place: together they may be larger than memory."""
    yield np.empty(0, np.uint64)
    for number, place in enumerate(places):
        yield shingles.of(place)
        if number % ROWS_A_RELEASE == 0:
            shingles.file.release()
