"""A list of words and phrases as a scorer: how often they stand in a text, such as those nobody should learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import polars as pl

from dq.arrays import F64
from dq.errors import ConfigError, InputError, cause_of, nearest, require
from dq.quality.kernels.word_list import BEGINNINGS, count_phrases, phrase_keys
from dq.text import Splitter, Texts, arrow_array, text_batch, tidied

PACKAGE = "glin_profanity"
JSON_ENDING = ".json"
SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"

MAX_BYTES = 64 << 20
MAX_WORDS = 16  # of a phrase: all runs of words up to the longest one are looked up
ROWS_AT_A_TIME = 256


class WordList:
    """How often the words and phrases of a list occur, in any case, as whole words.

    Words are found by spaces and marks; entries in scripts without spaces count wherever they stand, as in mC4.

    Args:
        path: a text file, UTF-8, a word or phrase a line, blank lines aside; or JSON, ``{"words": [...]}``.
        name: the column that the count becomes.

    Raises:
        InputError: the file is missing, is no such list, or has none in it.
    """

    def __init__(self, path: str | Path, *, name: str = "listed_words") -> None:
        self.names = (name,)
        batch, splitter = tidied(text_batch(_entries(Path(path)))), Splitter()
        splitter.split(batch, (0, len(batch)))
        bounds = splitter.words.bounds[: len(batch) + 1]
        sizes = np.diff(bounds)
        if len(long := np.flatnonzero(sizes > MAX_WORDS)):
            raise InputError(f"{path}:{int(long[0]) + 1}: a phrase of {sizes[long[0]]} words; {MAX_WORDS} are the most")
        keys, self._begun = np.empty(len(batch), np.uint64), np.zeros(BEGINNINGS, np.bool_)
        phrase_keys(bounds, splitter.words.folded, self._begun, keys)
        entries = pl.Series(arrow_array(batch)).str.to_lowercase()
        anywhere = entries.str.contains(SPACELESS)
        self._anywhere, whole = entries.filter(anywhere).unique(), ~anywhere.to_numpy()
        self._keys, self._longest = np.unique(keys[(sizes > 0) & whole]), int(sizes[whole].max(initial=0))
        if not sizes.any():
            raise InputError(f"{path}: holds no words; write one a line")

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Occurrences in each text."""
        batch, splitter = tidied(text_batch(texts)), Splitter()
        out = np.empty(len(batch))
        for row in range(0, len(batch), ROWS_AT_A_TIME):
            rows = (row, min(len(batch), row + ROWS_AT_A_TIME))
            splitter.split(batch, rows)
            words = splitter.words
            count_phrases(words.bounds, words.folded, self._begun, self._keys, self._longest, out[slice(*rows)])
        if len(self._anywhere):
            lower = pl.Series(arrow_array(batch)).str.to_lowercase()
            out += lower.str.extract_many(self._anywhere.implode(), overlapping=True).list.len().to_numpy()
        return {self.names[0]: out}


def published_list(name: str) -> Path | None:
    """The file of a list that the package glin-profanity ships (MIT), such as ``glin_profanity:english``.

    Returns:
        None where the name is of no such list.

    Raises:
        DqError: the package is not installed, or has no list of that language.
    """
    package, _, language = name.partition(":")
    if package != PACKAGE:
        return None
    module = require(f"{PACKAGE}.data.dictionary")
    files: dict[str, str] = module.DictionaryLoader.LANGUAGE_FILES
    if language not in files:
        raise ConfigError(f"{nearest(language, files, what='language')}; write {PACKAGE}:LANGUAGE", field="model")
    return Path(str(module.__file__)).parent / "dictionaries" / files[language]


def _entries(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES >> 20} MB, which is no list of words")
        if path.suffix != JSON_ENDING:
            return path.read_text("utf-8").split("\n")
        return pl.Series(orjson.loads(path.read_bytes())["words"], dtype=pl.String).drop_nulls().to_list()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a list of words: {cause_of(error)}") from None
