"""Looking values up in sorted arrays."""

from __future__ import annotations

from typing import Any

from dq.text.kernels.jit import inlined


@inlined
def find_sorted(value: Any, values: Any) -> int:
    """Where a value is in sorted values, or -1."""
    low, high = 0, values.size
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < values.size and values[low] == value else -1
