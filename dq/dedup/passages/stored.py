"""Columns and texts on disk while passages are looked for: written from front to end, then mapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import I64, U64, Array, offsets_of, read_only
from dq.dedup.shards import Shard, load_shard
from dq.dedup.visible import visible_characters
from dq.executors import QUIET, Step
from dq.store.arrays import MappedArray
from dq.text import content_keys

ROWS = 1 << 20  # of a column at a time


def slices(rows: int) -> Iterator[slice]:
    """Of a column, a stretch at a time."""
    return (slice(first, min(first + ROWS, rows)) for first in range(0, rows, ROWS))


@dataclass(frozen=True)
class Table:
    """Columns of the same rows, a file each, in parts."""

    columns: Mapping[str, MappedArray]
    ends: I64
    """(parts + 1,): where parts begin and the last ends."""

    @classmethod
    def write(cls, folder: Path, dtypes: Mapping[str, Any], parts: Iterable[Sequence[Array]]) -> Table:
        """Write the columns of each part."""
        folder.mkdir(exist_ok=True)
        rows = []
        with ExitStack() as stack:
            files = [stack.enter_context((folder / name).open("wb")) for name in dtypes]
            for columns in parts:
                for file, values in zip(files, columns, strict=True):
                    file.write(values.data)
                rows.append(len(columns[0]))
        shape = (sum(rows),)
        written = {name: MappedArray(folder / name, dtype, shape) for name, dtype in dtypes.items()}
        return cls(written, offsets_of(rows))

    @classmethod
    def like(cls, folder: Path, dtypes: Mapping[str, Any], other: Table) -> Table:
        """Columns for the rows of another table, to be written."""
        shape = (int(other.ends[-1]),)
        new = {name: MappedArray(folder / name, dtype, shape, create=True) for name, dtype in dtypes.items()}
        return cls(new, other.ends)

    def __getitem__(self, name: str) -> MappedArray:
        return self.columns[name]

    def part(self, number: int, name: str) -> Array:
        """The rows of a part."""
        return read_only(self.columns[name].array[self.ends[number] : self.ends[number + 1]])


@dataclass(frozen=True)
class StoredTexts:
    """The bytes of a corpus in one file."""

    file: MappedArray
    offsets: I64
    """(documents + 1,) into it."""
    content_keys: U64
    visible: I64
    """Visible characters, as the policy `longest` counts them; zeros where that was not asked for."""

    @classmethod
    def write(cls, shards: Sequence[Shard], path: Path, *, visible: bool, step: Step = QUIET) -> StoredTexts:
        """Read all shards, one after the other. The step counts documents."""
        lengths, keys, seen = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        with path.open("wb") as file:
            for shard in shards:
                batch = load_shard(shard)
                file.write(batch.data[batch.offsets[0] : batch.offsets[-1]].data)
                lengths.append(np.diff(batch.offsets))
                keys.append(content_keys(batch))
                seen.append(visible_characters(batch) if visible else np.zeros(len(batch), np.int64))
                step.advance(len(batch))
        found = offsets_of(np.concatenate(lengths))
        return cls(MappedArray(path, np.uint8, (int(found[-1]),)), found, np.concatenate(keys), np.concatenate(seen))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def parts(self, most_bytes: int) -> list[slice]:
        """Documents next to each other, of so many bytes together or one alone."""
        found, first = [], 0
        while first < len(self):
            stop = int(np.searchsorted(self.offsets, self.offsets[first] + most_bytes, "right")) - 1
            found.append(slice(first, max(stop, first + 1)))
            first = found[-1].stop
        return found
