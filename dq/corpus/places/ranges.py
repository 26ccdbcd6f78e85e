"""The bytes of a file that lies elsewhere, as a file in which one can seek: fetched in blocks, ahead of who reads on.

Threads wait for the network while this one works. A file that is only looked into costs a quarter of a megabyte, one
that is read on in four streams at a time; Parquet's columns, read in turns, find their blocks again. At most 80 MB of
blocks are held; what they could not hold is fetched again exactly as it is asked for, so that no file is read more
than about twice.
"""

from __future__ import annotations

import bisect
import io
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

BLOCK_BYTES = 8 << 20  # a request takes the processor as long as so many bytes do
FIRST_ENDS = (1 << 18, 1 << 20)  # of the first blocks: most looks are at a file's beginning
LAST_BYTES = 1 << 18  # of the last block: Parquet says there what is where
AHEAD = 4  # blocks that are fetched while one is read
HELD = 10  # blocks: a piece of Parquet that is not compressed fits


class Ranges(io.RawIOBase):
    """A file to read.

    Args:
        fetch: the bytes [start, end) of it, all of them; called by several threads.
        size: of the file.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0
        self._starts = _starts(size)
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._dropped: set[int] = set()
        self._threads = ThreadPoolExecutor(AHEAD)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer only at the end."""
        start, end = self._at, self._size if size is None or size < 0 else min(self._at + size, self._size)
        if end <= start:
            return b""
        self._at = end
        first, last = self._number(start), self._number(end - 1)
        if self._dropped.intersection(range(first, last + 1)):
            return self._fetch(start, end)
        wanted = [self._block(number) for number in range(first, last + 1)]
        if last > first or first - 1 in self._blocks:
            for number in range(last + 1, min(last + 1 + AHEAD, len(self._starts))):
                if number not in self._dropped:
                    self._block(number)
        bases = self._starts[first : last + 1]
        found = [block.result()[max(0, start - base) : end - base] for block, base in zip(wanted, bases, strict=True)]
        self._forget()
        return b"".join(found)  # a whole block is not copied

    def close(self) -> None:
        """Fetch nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._blocks.clear()
        super().close()

    def _number(self, at: int) -> int:
        return bisect.bisect_right(self._starts, at) - 1

    def _block(self, number: int) -> Future[bytes]:
        if number in self._blocks:
            self._blocks.move_to_end(number)
        else:
            end = self._starts[number + 1] if number + 1 < len(self._starts) else self._size
            self._blocks[number] = self._threads.submit(self._fetch, self._starts[number], end)
        return self._blocks[number]

    def _forget(self) -> None:
        while len(self._blocks) > HELD:
            number, _ = self._blocks.popitem(last=False)
            self._dropped.add(number)


def _starts(size: int) -> list[int]:
    """Where blocks begin."""
    last = size - LAST_BYTES
    if last <= FIRST_ENDS[-1]:
        return [0]
    return [0, *(end for end in FIRST_ENDS), *range(BLOCK_BYTES, last, BLOCK_BYTES), last]
