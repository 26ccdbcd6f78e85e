"""A list of words and phrases as a scorer: how often they stand in a text, such as those nobody should learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dq.arrays import F64
from dq.errors import InputError, cause_of
from dq.quality.kernels.word_list import count_phrases, phrase_keys
from dq.text import Splitter, Texts, text_batch, tidied

MAX_BYTES = 64 << 20
MAX_WORDS = 16  # of a phrase: all runs of words up to the longest one are looked up
ROWS_AT_A_TIME = 256


class WordList:
    """How often the words and phrases of a list occur, in any case, as whole words.

    The words are found by spaces and marks, so those of scripts without spaces are not.

    Args:
        path: a text file, UTF-8, a word or phrase a line; blank lines do not count.
        name: the column that the count becomes.

    Raises:
        InputError: the file is missing, is no such list, or has none in it.
    """

    def __init__(self, path: str | Path, *, name: str = "listed_words") -> None:
        self.names = (name,)
        batch, splitter = tidied(text_batch(_lines(Path(path)))), Splitter()
        splitter.split(batch, (0, len(batch)))
        bounds = splitter.words.bounds[: len(batch) + 1]
        sizes = np.diff(bounds)
        if len(long := np.flatnonzero(sizes > MAX_WORDS)):
            raise InputError(f"{path}:{int(long[0]) + 1}: a phrase of {sizes[long[0]]} words; {MAX_WORDS} are the most")
        keys = np.empty(len(batch), np.uint64)
        phrase_keys(bounds, splitter.words.folded, keys)
        self._keys, self._longest = np.unique(keys[sizes > 0]), int(sizes.max(initial=0))
        if not self._longest:
            raise InputError(f"{path}: holds no words; write one a line")

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Occurrences in each text."""
        batch, splitter = tidied(text_batch(texts)), Splitter()
        out = np.empty(len(batch))
        for row in range(0, len(batch), ROWS_AT_A_TIME):
            rows = (row, min(len(batch), row + ROWS_AT_A_TIME))
            splitter.split(batch, rows)
            words = splitter.words
            count_phrases(words.bounds, words.folded, self._keys, self._longest, out[slice(*rows)])
        return {self.names[0]: out}


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES >> 20} MB, which is no list of words")
        return path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of words: {cause_of(error)}") from None
