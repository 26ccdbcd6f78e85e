"""Names of the arrays that signatures speak of, and the two things every caller of a kernel does with them.

An alias says the element type alone; a docstring says what is in the array and how long it is. Numba ignores
annotations, so in kernels the aliases are documentation, and to mypy an element of any of them is ``Any``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
"""An array of any element type."""
U8: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
"""Bytes of UTF-8, or eight bits a character or word."""
U16: TypeAlias = np.ndarray[Any, np.dtype[np.uint16]]
"""Sixteen bits a character."""
U32: TypeAlias = np.ndarray[Any, np.dtype[np.uint32]]
"""Signature values, or places in a block of text."""
U64: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
"""Hashes, or bit masks of 64 bytes each."""
I32: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]
"""Code points, or numbers within one document."""
I64: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""Offsets, row numbers and counts."""
F32: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
"""Weights."""
F64: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
"""Measurements, NaN where undefined."""
Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
"""A yes or no each."""

Kind = TypeVar("Kind", bound=np.generic)


def read_only(array: np.ndarray[Any, np.dtype[Kind]]) -> np.ndarray[Any, np.dtype[Kind]]:
    """A view that cannot be written through: kernels then compile once, for read-only inputs."""
    view = array.view()
    view.setflags(write=False)
    return view


def offsets_of(lengths: Any) -> I64:
    """Where runs of these lengths begin when they lie one after another, and where the last ends: (n + 1,)."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def by_runs(numbers: I64, offsets: I64) -> Iterator[tuple[int, I64]]:
    """For each run that holds some of the ascending numbers its own number, and their places in it.

    ``offsets`` as `offsets_of` gives them.
    """
    cuts = np.searchsorted(numbers, offsets)
    for run in np.flatnonzero(np.diff(cuts)):
        yield int(run), numbers[cuts[run] : cuts[run + 1]] - offsets[run]


def distinct(values: np.ndarray[Any, np.dtype[Kind]]) -> np.ndarray[Any, np.dtype[Kind]]:
    """The different values, ascending. NumPy's own takes fifty times as long for millions: it hashes them."""
    ordered = np.sort(values)
    found: np.ndarray[Any, np.dtype[Kind]] = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def between_groups(begins: Bools, size: int) -> I64:
    """Where rows may be cut into parts of ``size`` or a little more, so that each has whole groups.

    ``begins`` is bool (n,), whether a row begins a group.
    """
    places = np.flatnonzero(begins)
    wanted = np.arange(size, places[-1] + 1 if len(places) else 0, size)
    return distinct(places[np.searchsorted(places, wanted)])
