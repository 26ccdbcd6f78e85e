"""Columns of keys and values on disk: for each row the least value of its key, in tables of bounded memory.

Keys are hashes, so ranges of them have the same number of different keys: what one table cannot hold is done in several
ranges, each of which reads the columns twice. A key that occurs a million times takes one slot.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dq.arrays import U64
from dq.dedup.config import Resources
from dq.dedup.kernels.passages import SEVERAL, enter, look_up
from dq.dedup.passages.stored import slices
from dq.executors import run_in_threads
from dq.store.arrays import MappedArray

SLOT_BYTES = 16
LEAST_SLOTS = 1 << 10


def tables_for(rows: int, resources: Resources) -> tuple[int, int]:
    """Slots of a table for so many rows, and the number of ranges of keys, each of which takes one."""
    room = resources.memory_bytes // 2 // resources.threads // SLOT_BYTES
    slots = LEAST_SLOTS
    while 2 * slots <= room and slots < 2 * rows:
        slots *= 2
    return slots, max(1, -(-2 * rows // slots))


@dataclass(frozen=True)
class Firsts:
    """What is asked of the keys of some rows; outputs are columns of as many rows."""

    keys: MappedArray
    """uint64"""
    values: MappedArray
    """int64 from 0 on, or hashes (uint64), of which 63 bits count."""
    least: MappedArray | None = None
    """Takes the least value of the row's key: int64."""
    several: MappedArray | None = None
    """Takes whether the row's key has two different values or more: uint8."""

    def find(self, resources: Resources) -> None:
        """Write the outputs. The tables of all threads together take half of the memory that is given."""
        slots, ranges = tables_for(len(self.keys.array), resources)
        while not self._in_ranges(ranges, slots, resources.threads):
            ranges *= 2

    def _in_ranges(self, ranges: int, slots: int, threads: int) -> bool:
        """Whether every range fits its table; outputs are whole then."""
        edges = [(number << 64) // ranges for number in range(ranges + 1)]
        bounds = [(np.uint64(low), np.uint64(high - 1)) for low, high in pairwise(edges)]
        return all(run_in_threads(lambda pair: self._in_range(pair, slots), bounds, threads=threads))

    def _in_range(self, bounds: tuple[np.uint64, np.uint64], slots: int) -> bool:
        table, used = _empty_table(slots), 0
        for part in slices(len(self.keys.array)):
            keys = self.keys.array[part]
            rows = np.flatnonzero((keys >= bounds[0]) & (keys <= bounds[1]))
            used = enter(keys[rows], self.values.array[part].view(np.uint64)[rows], table, used)
            self._release()
            if used < 0:
                return False
        for part in slices(len(self.keys.array)):
            keys = self.keys.array[part]
            rows = np.flatnonzero((keys >= bounds[0]) & (keys <= bounds[1]))
            found = np.empty(len(rows), np.uint64)
            look_up(keys[rows], table, found)
            if self.least is not None:
                self.least.array[part][rows] = found & ~SEVERAL
            if self.several is not None:
                self.several.array[part][rows] = found >> np.uint64(63)
            self._release()
        return True

    def _release(self) -> None:
        for column in (self.keys, self.values, self.least, self.several):
            if column is not None:
                column.release()


def _empty_table(slots: int) -> U64:
    """Zeros (slots, 2), in large pages where there are some: slots are read here and there."""
    memory = mmap.mmap(-1, slots * SLOT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64).reshape(slots, 2)
