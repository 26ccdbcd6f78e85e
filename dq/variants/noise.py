"""Token replacement: a dose of each document's tokens becomes random ones. The ledger of it is arithmetic.

Which positions are replaced, and by what, hashes (seed, document, position): the same in every epoch, and nested: a
larger dose replaces the positions of a smaller one and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.hashing import content_keys, mix64, uniform
from dq.variants.parts import Universe

__all__ = ["TokenReplacement", "replaced_tokens"]

WHERE, WHAT = 0x7768657265, 0x77686174  # two independent draws a position


def replaced_tokens(n_tokens: Any, dose: float) -> Any:
    """How many of documents' tokens (without BOS) a dose replaces: int64, same shape."""
    return np.rint(dose * np.asarray(n_tokens)).astype(np.int64)


class TokenReplacement:
    """Replaces ``round(dose * n)`` of the n tokens of a document by uniform draws from the vocabulary without BOS."""

    def __init__(self, universe: Universe, *, dose: float, vocabulary_size: int, seed: int) -> None:
        self._universe, self._dose, self._vocabulary_size, self._seed = universe, dose, vocabulary_size, seed
        self._source_keys = {
            str(source): content_keys([str(source)])[0] for source in np.unique(universe.sources.astype(str))
        }

    def __call__(
        self, document: int, tokens: np.ndarray[Any, np.dtype[np.int32]]
    ) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The document's tokens with the dose applied: int32, same shape."""
        universe = self._universe
        key, occurrence = universe.content_keys[document], universe.occurrences[document]
        source_key = self._source_keys[str(universe.sources[document])]
        positions = np.arange(len(tokens))
        where = mix64(key, source_key, occurrence, positions, self._seed, WHERE)
        chosen = np.argsort(where, kind="stable")[: int(replaced_tokens(len(tokens), self._dose))]
        what = uniform(mix64(key, source_key, occurrence, positions[chosen], self._seed, WHAT))
        noisy = tokens.copy()
        noisy[chosen] = 1 + (what * (self._vocabulary_size - 1)).astype(np.int32)
        return noisy
