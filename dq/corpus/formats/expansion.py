"""How much a file may hold for its size: what a few kilobytes can be made to stand for has no end.

Text compresses to a tenth, templated text to a hundredth; dictionaries, run lengths and repeated pages reach a
millionth. A file is read while it holds less than a gigabyte, or less than a thousand bytes for each that is stored.
"""

from __future__ import annotations

from dq.errors import InputError

FREE_BYTES = 1 << 30
MAX_RATIO = 1000
ROW_BYTES = 256  # that a row counts for beside what it holds, if only nothing: its id, its place, the time it takes


class Expansion:
    """What is left of the bytes that a file may expand to.

    Args:
        name: of the file.
        stored: bytes on disk.
    """

    def __init__(self, name: str, stored: int) -> None:
        self._name, self._stored = name, stored
        self._left = max(FREE_BYTES, MAX_RATIO * stored)

    def take(self, plain: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            InputError: the file has swollen past the bound.
        """
        self._left -= plain
        if self._left < 0:
            raise InputError(
                f"{self._name}: {self._stored:,} bytes expand to more than {MAX_RATIO:,} times as many, which no text "
                "does; look into the file, or leave it out of the input"
            )
