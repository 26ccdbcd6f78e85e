"""What a scorer is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from dq.text.buffers import Texts

__all__ = ["Scorer"]

Array = np.ndarray[Any, np.dtype[Any]]


class Scorer(Protocol):
    """Anything that gives one number a text: a column of ``score(texts, models={name: scorer})``."""

    def scores(self, texts: Texts) -> Array:
        """float64, one a text, NaN where undefined."""
        ...
