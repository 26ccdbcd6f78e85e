"""What finding repeated passages will take: memory by the bounds that the search keeps, disk by the columns it writes.

How many windows are looked up one by one depends on how much a corpus repeats itself, which a sample shows too little
of: what counts is what a corpus with many repeats took, 314 MB of mixed text with templated pages and notices.
"""

from __future__ import annotations

from dataclasses import dataclass

from dq.dedup.config import Resources
from dq.dedup.estimate import BYTES_A_DOCUMENT, BYTES_A_TEXT_BYTE, FIXED_BYTES
from dq.dedup.passages.firsts import SLOT_BYTES, tables_for
from dq.dedup.passages.options import RepeatedPassages
from dq.dedup.passages.search import BYTES_A_BYTE, PART_BYTES

BLOCKS_A_WINDOW = 3.8  # blocks in as many bytes as a window has: measured for windows of 50 and of 200 bytes
BLOCK_BYTES, WINDOW_BYTES = 37, 24  # of their columns on disk
WINDOWS_A_BYTE = 0.09  # looked up one by one, at 200 bytes; 0.2 at 50
FEWER_WINDOWS = 0.6  # the power of the length with which they become fewer
USED_A_BYTE = 10  # of memory, of text at work: room is kept for six times as much
SECONDS_A_ROW = 2.8e-8  # of a column, for each range of hashes after the first


@dataclass(frozen=True)
class PassagesEstimate:
    """Expected cost of a search, beside the time that a sample took."""

    memory_bytes: int
    """Peak of the process; pages of texts that the system may drop do not count."""
    work_bytes: int
    """Working files at their largest."""
    more_seconds: float
    """Of a core, where memory is too small for one table of hashes, its columns are read again and again."""


def estimate_passages(
    options: RepeatedPassages, *, documents: int, text_bytes: int, largest_shard_bytes: int, resources: Resources
) -> PassagesEstimate:
    """The cost for so many documents and bytes, written in shards of a known size."""
    blocks = round(BLOCKS_A_WINDOW * text_bytes / options.min_bytes)
    windows = round(text_bytes * min(1.0, WINDOWS_A_BYTE * (200 / options.min_bytes) ** FEWER_WINDOWS))
    tables, again = 0, 0
    for rows in (blocks, blocks, windows):
        slots, ranges = tables_for(rows, resources)
        tables = max(tables, slots * SLOT_BYTES * min(ranges, resources.threads))
        again += rows * (ranges - 1)
    part = min(PART_BYTES, resources.memory_bytes // 2 // resources.threads // BYTES_A_BYTE)
    looked_at = min(part * resources.threads, text_bytes) * USED_A_BYTE
    written = min(largest_shard_bytes * resources.threads, text_bytes) * BYTES_A_TEXT_BYTE
    return PassagesEstimate(
        memory_bytes=round(FIXED_BYTES + documents * BYTES_A_DOCUMENT + max(tables, looked_at, written)),
        work_bytes=text_bytes + BLOCK_BYTES * blocks + WINDOW_BYTES * windows,
        more_seconds=SECONDS_A_ROW * again,
    )
