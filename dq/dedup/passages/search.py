"""One search for repeated pieces of stored texts: blocks, their first places, windows where blocks differ, pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dq.arrays import I64, Array, read_only
from dq.dedup.config import Resources
from dq.dedup.kernels import pieces as kinds
from dq.dedup.kernels.passages import Blocks, Sampling, find_blocks, hash_windows
from dq.dedup.kernels.pieces import FirstPlaces, Places, bound_cuts, find_pieces
from dq.dedup.passages.firsts import Firsts
from dq.dedup.passages.stored import StoredTexts, Table
from dq.executors import run_in_threads

PART_BYTES = 16 << 20  # of text at a time in each thread
BYTES_A_BYTE = 64  # of memory for each byte of text at work: room for blocks, windows and hashes, at most
BOUNDARIES = {"characters": kinds.CHARACTERS, "words": kinds.WORDS, "lines": kinds.LINES}
ROOM = 1 << 10
BLOCKS = {"gram": np.uint64, "whole": np.uint64, "start": np.int64, "windows": np.int32}
PLACES = {"first": np.int64, "several": np.uint8}
WINDOWS = {"hash": np.uint64, "start": np.int64}


@dataclass(frozen=True)
class Search:
    """A search with one seed of hashes."""

    texts: StoredTexts
    addresses: I64
    """Of the first byte of each document, in the order of the policy."""
    sampling: Sampling
    work: Path
    """Folder for columns."""
    resources: Resources

    def pieces(self, boundaries: str) -> I64 | None:
        """All pieces and what is cut of them, sorted: (pieces, 7); None where hashes have to be others."""
        numbers, threads = range(len(self._parts)), self.resources.threads

        def map_parts(make: Callable[[int], Sequence[Array]]) -> Iterator[Sequence[Array]]:
            for first in range(0, len(numbers), threads):
                yield from run_in_threads(make, numbers[first : first + threads], threads=threads)

        blocks = Table.write(self.work / "blocks", BLOCKS, map_parts(self._blocks))
        places = Table.like(self.work / "places", PLACES, blocks)
        Firsts(blocks["gram"], blocks["whole"], several=places["several"]).find(self.resources)
        Firsts(blocks["whole"], blocks["start"], least=places["first"]).find(self.resources)

        def of_windows(number: int) -> Sequence[Array]:
            return self._windows(number, blocks.part(number, "windows"), places.part(number, "several"))

        windows = Table.write(self.work / "windows", WINDOWS, map_parts(of_windows))
        firsts = Table.like(self.work / "firsts", {"first": np.int64}, windows)
        Firsts(windows["hash"], windows["start"], least=firsts["first"]).find(self.resources)

        def of_pieces(number: int) -> I64 | None:
            several, first = places.part(number, "several"), places.part(number, "first")
            given = FirstPlaces(blocks.part(number, "windows"), several, first, firsts.part(number, "first"))
            return self._pieces(number, given, BOUNDARIES[boundaries])

        found = run_in_threads(of_pieces, numbers, threads=threads)
        whole = [pieces for pieces in found if pieces is not None]
        return np.concatenate([np.empty((0, 7), np.int64), *whole]) if len(whole) == len(found) else None

    @cached_property
    def _parts(self) -> list[slice]:
        memory = self.resources.memory_bytes // 2 // self.resources.threads
        return self.texts.parts(min(PART_BYTES, memory // BYTES_A_BYTE))

    def _given(self, number: int) -> tuple[Array, I64, I64]:
        """The bytes of a part, offsets into them, and addresses."""
        part = self._parts[number]
        offsets = self.texts.offsets[part.start : part.stop + 1]
        data = self.texts.file.array[offsets[0] : offsets[-1]]
        return read_only(data), read_only(offsets - offsets[0]), read_only(self.addresses[part])

    def _blocks(self, number: int) -> Sequence[Array]:
        data, offsets, addresses = self._given(number)
        room = ROOM + len(data) // 8
        while True:
            blocks = Blocks(*(np.empty(room, dtype) for dtype in BLOCKS.values()))
            count = find_blocks(data, offsets, addresses, self.sampling, blocks)
            if count <= room:
                break
            room = count
        self.texts.file.release()
        return [values[:count] for values in blocks]

    def _windows(self, number: int, windows: Array, several: Array) -> Sequence[Array]:
        count = int(windows[several != 0].sum())
        found = [np.empty(count, dtype) for dtype in WINDOWS.values()]
        hash_windows(*self._given(number), windows, several, self.sampling, *found)
        self.texts.file.release()
        return found

    def _pieces(self, number: int, firsts: FirstPlaces, boundaries: int) -> I64 | None:
        part, room = self._parts[number], ROOM
        while True:
            pieces = np.empty((room, 7), np.int64)
            count = find_pieces(self._places, (part.start, part.stop), firsts, self.sampling.window, pieces)
            if count <= room:
                break
            room = count
        pieces = pieces[: max(count, 0)]
        bound_cuts(self._places.data, self._places.offsets, pieces, boundaries)
        self.texts.file.release()
        return pieces if count >= 0 else None

    @cached_property
    def _places(self) -> Places:
        order = np.lexsort((np.diff(self.texts.offsets), self.addresses))  # empty texts have the address of the next
        return Places(
            read_only(self.texts.file.array),
            read_only(self.texts.offsets),
            read_only(self.addresses),
            read_only(self.addresses[order]),
            read_only(order),
        )
