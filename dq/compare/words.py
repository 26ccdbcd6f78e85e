"""A difference in plain words: how large it is, and where it could lie."""

from __future__ import annotations


def size_of(difference: float, baseline: float) -> str:
    """Such as ``-0.026 bits per byte (-0.8 %)``: in bits per byte, and of the baseline's level."""
    percent = round(100 * difference / baseline, 1)
    return f"{_signed(difference)} bits per byte ({f'{percent:+.1f}' if percent else '0.0'} %)"


def range_of(low: float, high: float) -> str:
    """Where a difference could lie by its interval; below 0 is better.

    Such as ``could be 0.119 better or 0.068 worse`` or ``between 0.012 and 0.040 better``.
    """
    if low < 0 < high:
        return f"could be {_plain(-low)} better or {_plain(high)} worse"
    near, far = sorted((abs(low), abs(high)))
    return f"between {_plain(near)} and {_plain(far)} {'better' if low < 0 else 'worse'}"


def _digits(value: float) -> int:
    """Three places, four for small numbers: seeds never tell more."""
    return 3 if abs(value) >= 0.00995 or value == 0 else 4


def _plain(value: float) -> str:
    return f"{value:.{_digits(value)}f}"


def _signed(value: float) -> str:
    digits = _digits(value)
    return f"{round(value, digits) + 0.0:+.{digits}f}"
