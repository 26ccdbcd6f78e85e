"""Find the duplicates of a corpus: signatures, bands, candidates, verification. Texts are read twice at most.

Working files live in ``folder/work`` and are removed at the end; signatures stay, for another threshold. A run that was
killed goes on from its finished signature shards, and the result is the same to the byte for any number of threads,
any memory and any number of restarts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, offsets_of
from dq.dedup.bands import choose_bands
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.duplicates import MEMBERS_AT_A_TIME, RECORD, Counts, Duplicates, LargeBuckets
from dq.dedup.find.band_files import add_earlier, write_bands
from dq.dedup.find.candidates import BYTES_A_ROW, Candidates, KnownSignatures, find_candidates
from dq.dedup.find.class_shingles import ShingleFiles, shingle_classes
from dq.dedup.find.earlier import frozen_documents, nothing_met
from dq.dedup.find.equivalence import EquivalenceClasses, group_by_keys
from dq.dedup.find.runs import parts_for, runs_of
from dq.dedup.find.shard_tasks import ShardWorkers
from dq.dedup.find.signature_files import sign_shards
from dq.dedup.find.verify import verify
from dq.dedup.index import DuplicateIndex
from dq.dedup.shards import Shard
from dq.errors import ConfigError
from dq.executors import QUIET, Executor, Step, require_live_polars
from dq.store.arrays import save_array, save_parts
from dq.store.files import remove_partials


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
        executor: who does the work, a task a shard, a run of shards or a part, where that is not these threads; shards
            are then functions that can be sent there, and the folder one that is seen there.
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
    memory, bands = resources.memory_bytes, choose_bands(config)
    files = sign_shards(shards, config.shingles, folder=folder / "signatures", inputs=inputs, workers=workers)
    work, runs = folder / "work", runs_of(files.first_documents)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    of_runs = workers if len(runs) > 1 else workers.here()  # one takes a second
    classes = group_by_keys(files, runs, folder=work, memory_bytes=memory, workers=of_runs)
    parts = parts_for(len(classes), bytes_a_row=BYTES_A_ROW, memory_bytes=of_runs.memory_a_task(memory))
    tables = write_bands(files, classes, runs, bands=bands, parts=parts, folder=work, workers=of_runs)
    met = nothing_met(bands) if index is None else index.meet(map(tables.hashes, range(bands.bands)), inputs=inputs)
    tables = add_earlier(tables, met.signatures, first=files.documents, bands=bands, parts=parts)
    signatures = KnownSignatures(files, work / "earlier.npy")
    save_array(signatures.earlier, met.signatures)
    candidates = find_candidates(
        tables, signatures, bands, parts=parts, max_bucket=config.max_bucket, folder=work, workers=of_runs
    )
    shutil.rmtree(tables.folder, ignore_errors=True)  # no shards make none
    shingles, measured = shingle_classes(
        shards, files, classes, candidates=candidates.files, earlier=met.shingles, folder=work, workers=workers
    )
    pairs = verify(
        candidates.files,
        shingles,
        documents=files.documents,
        config=config,
        folder=work,
        memory_bytes=memory,
        workers=workers,
    )
    buckets = _large_buckets(candidates.buckets, signatures, shingles, folder=folder)
    shutil.rmtree(work)
    return Duplicates(
        config=config,
        bands=bands,
        counts=_counts(candidates, classes, pairs=pairs, buckets=buckets),
        pairs=pairs,
        copies=classes.copies,
        empty=classes.empty,
        measured=measured,
        buckets=buckets,
        frozen=frozen_documents(met, files),
    )


def _counts(
    candidates: Candidates, classes: EquivalenceClasses, *, pairs: pl.DataFrame, buckets: LargeBuckets
) -> Counts:
    exact = int((classes.copies["first_text"] != classes.copies["document"]).sum())
    return Counts(
        documents=classes.documents,
        empty=len(classes.empty),
        exact_copies=exact,
        equal_shingles=classes.copies.height - exact,
        candidate_pairs=candidates.compared,
        skipped_by_signature=candidates.skipped,
        verified_pairs=pairs.height,
        large_buckets=len(buckets),
        large_bucket_documents=len(buckets.documents),
    )


def _large_buckets(
    found: Sequence[I64], signatures: KnownSignatures, shingles: ShingleFiles, *, folder: Path
) -> LargeBuckets:
    """Buckets in an order of their own (that of their members), whatever the parts they were found in."""
    ordered = sorted(found, key=lambda members: (int(members[0]), len(members), members.tobytes()))
    members = np.concatenate([np.empty(0, np.int64), *ordered])
    documents, numbers = np.unique(members, return_inverse=True)
    ends = offsets_of(shingles.lengths(documents))
    some = np.split(documents, range(MEMBERS_AT_A_TIME, len(documents), MEMBERS_AT_A_TIME))
    save_parts(LargeBuckets.path(folder, "shingles"), (shingles.of(part).hashes for part in some), int(ends[-1]))
    digests = (signatures.of(part).astype(np.uint8) for part in some)
    save_parts(LargeBuckets.path(folder, "digests"), digests, len(documents))
    LargeBuckets.save(
        folder,
        offsets=offsets_of([len(bucket) for bucket in ordered]),
        members=numbers.astype(np.int64),
        documents=documents,
        shingle_offsets=ends,
    )
    return LargeBuckets.read(folder)
