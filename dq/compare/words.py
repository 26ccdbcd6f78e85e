"""A difference in plain words: how large it is, and where it could lie."""

from __future__ import annotations


def size_of(difference: float, baseline: float) -> str:
    """Such as ``-0.026 bits per byte (-0.8 %)``: in bits per byte, and of the baseline's level."""
    percent = round(100 * difference / baseline, 1)
    return f"{signed(difference)} bits per byte ({f'{percent:+.1f}' if percent else '0.0'} %)"


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


def tokens_of(number: float) -> str:
    """A number of tokens: ``229,376``, and ``55B`` where all digits would be too many."""
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= max(size, 1e7):
            return f"{number / size:.4g}{name}"
    return f"{number:,.0f}"


def signed(value: float) -> str:
    """A difference with its sign, in as many places as seeds tell."""
    digits = _digits(value)
    return f"{round(value, digits) + 0.0:+.{digits}f}"
