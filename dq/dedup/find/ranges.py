"""Records too many for memory, one range of their hashes after the other, by way of a file each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from dq.arrays import Array


def by_ranges(records: Iterable[Array], *, parts: int, path: Path) -> Iterator[Array]:
    """The records of each range, in the order in which they came, ranges ascending.

    Args:
        records: structured arrays with a uint64 field ``hash``, at least one.
        parts: ranges of equal width, so many that the records of one fit into memory.
        path: what the names of the files begin with; each is removed once it is read.
    """
    if parts == 1:
        yield np.concatenate([*records])
        return
    files = [path.with_name(f"{path.name}.{part}") for part in range(parts)]
    for left in files:  # by a worker that was killed
        left.unlink(missing_ok=True)
    for some in records:
        kind = some.dtype
        part = ((some["hash"] >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)
        order = np.argsort(part, kind="stable")
        cuts = np.searchsorted(part[order], np.arange(parts + 1))
        ordered = some[order]
        for one in np.flatnonzero(np.diff(cuts)):
            with files[one].open("ab") as file:  # opened anew: more files than a process may have open at a time
                file.write(ordered[cuts[one] : cuts[one + 1]].tobytes())
    for file_of_range in files:
        if file_of_range.exists():
            yield np.fromfile(file_of_range, kind)
            file_of_range.unlink()
