"""Classifiers of fastText as scorers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dq.errors import ConfigError, InputError, require
from dq.text.buffers import Texts, text_batch

__all__ = ["FastTextModel", "as_lines"]

Array = np.ndarray[Any, np.dtype[Any]]


class FastTextModel:
    """A fastText classifier (``.bin`` or ``.ftz``), such as DCLM's, as a scorer: the probability of one label.

    Newlines become spaces, because fastText reads one line.

    Raises:
        ConfigError: the model does not know the label.
        InputError: the file is missing or no fastText model.
        MissingExtraError: fastText is not installed.
    """

    def __init__(self, path: str | Path, label: str) -> None:
        fasttext = require("fasttext", extra="fasttext")
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file")
        self._label = label if label.startswith("__label__") else f"__label__{label}"
        try:
            self._model = fasttext.load_model(str(path))
        except ValueError as error:
            raise InputError(f"{path}: not a fastText model: {error}") from None
        # A negative threshold leaves no label out, however unlikely.
        labels, _ = self._model.predict("a", k=-1, threshold=-1.0)
        if self._label not in labels:
            raise ConfigError(f"{path} has no label {self._label}; it has: {', '.join(sorted(labels)[:8])}")

    def scores(self, texts: Texts) -> Array:
        """Probability of the label: float64; NaN for texts without characters."""
        found = np.full(len(lines := as_lines(texts)), np.nan)
        for row, line in enumerate(lines):
            if line:
                # Labels less likely than 1e-5 are left out.
                labels, probabilities = self._model.predict(line, k=-1)
                known = dict(zip(labels, probabilities, strict=True))
                found[row] = min(1.0, float(known.get(self._label, 0.0)))
        return found


def as_lines(texts: Texts) -> Sequence[str]:
    """Each text as one stripped line."""
    batch = text_batch(texts)
    raw, offsets = batch.data.tobytes(), batch.offsets.tolist()
    spans = (raw[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(offsets))
    return [text.replace("\n", " ").replace("\r", " ").strip() for text in spans]
