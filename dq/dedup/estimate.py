"""What a deduplication will take, from a sample: time, memory and disk, before anything is read in full.

Time is measured on the sample (signatures, shingles) and scaled by bytes; disk and memory follow from the number of
documents and the share of them that has a neighbour. A sample sees fewer neighbours than the whole, so the share is
what the caller expects, or what the sample shows when it is whole shards.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from dq.dedup.bands import choose_bands
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.semantic import BLOCK, TILE
from dq.dedup.shingles import shingle
from dq.dedup.signatures import sign
from dq.text import Texts, text_batch

FIXED_BYTES = 450_000_000  # interpreter, libraries, compiled kernels, Unicode tables, pages mapped at a time
BYTES_A_DOCUMENT = 40  # what is read, chosen and written of each: 80 measured, with those of `tables`
BYTES_A_VECTOR = 230  # the table of documents, order, selection
BYTES_A_TEXT_BYTE = 3.2  # of the shard in work: the text, its decoded columns, its shingles
SECONDS_A_BAND_ROW = 1.2e-7  # hashing and sorting one value of one band
ROUNDS = 9
SHINGLED_SHARE = 0.15  # of the shingles, kept for verification: 0.14 on 94,040 documents of 41 mixed sources


@dataclass(frozen=True)
class Estimate:
    """Expected cost of finding and selecting duplicates; reading and writing the corpus is not in it."""

    seconds: float
    """Wall-clock time on this machine with the given threads."""
    memory_bytes: int
    """Peak of the process."""
    disk_bytes: int
    """Peak of working and result files."""
    signature_mb_per_second: float
    """Measured, one core; 0 where there are none."""


def estimate_cosines(documents: int, dimensions: int) -> Estimate:
    """Cost of selecting documents by the cosines of their vectors, beside that of the vectors themselves.

    Products of blocks are measured; no more than half of all pairs are, but for the removed ones.
    """
    generator = np.random.default_rng(0)
    some, tile = (generator.random((rows, dimensions), np.float32) for rows in (BLOCK, TILE))
    products, seconds = some @ tile.T, []
    for _ in range(ROUNDS):  # of milliseconds, which whatever else runs would multiply
        started = time.perf_counter()
        np.matmul(some, tile.T, out=products)
        products.max(axis=1)
        seconds.append(time.perf_counter() - started)
    pair = float(np.median(seconds)) / products.size
    memory = FIXED_BYTES + documents * BYTES_A_VECTOR + 2 * products.nbytes + some.nbytes + tile.nbytes
    return Estimate(documents**2 / 2 * pair, memory, 4 * documents * dimensions, 0.0)


def estimate_cost(
    sample: Texts,
    config: DedupConfig | None = None,
    *,
    documents: int,
    text_bytes: int,
    largest_shard_bytes: int | None = None,
    resources: Resources | None = None,
) -> Estimate:
    """Time, memory and disk for a corpus of ``documents`` and ``text_bytes``, of which ``sample`` is a fair sample."""
    config, resources = config or DedupConfig(), resources or Resources()
    batch = text_batch(sample)
    sign(batch, config.shingles), shingle(batch, config)  # compile and warm up first
    started = time.perf_counter()
    signed = sign(batch, config.shingles)
    signed_at = time.perf_counter()
    shingle(batch, config)
    shingled_at = time.perf_counter()
    sample_bytes = max(1, int(batch.offsets[-1] - batch.offsets[0]))
    bands = choose_bands(config)
    passes = (signed_at - started) + SHINGLED_SHARE * (shingled_at - signed_at)
    seconds = passes * text_bytes / sample_bytes / resources.threads
    seconds += documents * bands.bands * SECONDS_A_BAND_ROW / min(resources.threads, bands.bands)
    shingles_a_byte = float(np.sum(signed.counts)) / sample_bytes
    table_bytes = 4 * config.num_perm + 32 + 16 * bands.bands  # signature, keys and counts; hashes and whose they are
    disk = documents * table_bytes + 8 * SHINGLED_SHARE * shingles_a_byte * text_bytes
    shard = text_bytes if largest_shard_bytes is None else largest_shard_bytes
    in_work = min(shard * resources.threads, text_bytes) * BYTES_A_TEXT_BYTE
    tables = min(documents * 64, resources.memory_bytes)
    memory = FIXED_BYTES + documents * BYTES_A_DOCUMENT + in_work + tables
    return Estimate(seconds, int(memory), int(disk), sample_bytes / 1e6 / max(1e-9, signed_at - started))
