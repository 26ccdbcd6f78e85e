"""Words replaced by others of the same document: its vocabulary stays, its sense goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from dq.arrays import offsets_of
from dq.text import Cleaned, Cleaner, TextBatch, Texts, draws, edited, of_pieces, places_of_dose
from dq.variants.noise.base import TextRewriting

BLANKS = (9, 10, 11, 12, 13, 32)
WHICH = 0x776F726473  # names the draw of the other word


@final
class Words(TextRewriting):
    """Documents with a share of the words replaced by others of the same document."""

    kind: Literal["words"] = "words"

    @property
    def cleaner(self) -> Cleaner:
        """Words between white space."""
        return _Words(self.dose, self.seed)

    @property
    def unit(self) -> str:
        """Words."""
        return "words"


@dataclass(frozen=True)
class _Words:
    dose: float
    seed: int
    name: ClassVar[str] = "words"
    version: ClassVar[int] = 1

    def config(self) -> Mapping[str, Any]:
        """All that decides the result."""
        return {"dose": self.dose, "seed": self.seed}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch."""
        return edited(texts, self._edit)

    def _edit(self, batch: TextBatch) -> tuple[TextBatch, int, int]:
        # Stretches of white space and of none, cut where texts begin.
        blank = np.isin(batch.data, BLANKS)
        starts = np.append(True, blank[1:] != blank[:-1]) if len(blank) else blank
        starts[batch.offsets[:-1][np.diff(batch.offsets) > 0]] = True
        begins = np.flatnonzero(starts)
        lengths = np.diff(np.append(begins, len(blank)))
        owners = np.searchsorted(batch.offsets, begins, side="right") - 1
        words = np.flatnonzero(~blank[begins])
        counts = np.bincount(owners[words], minlength=len(batch))
        taken = np.flatnonzero(places_of_dose(counts, batch, dose=self.dose, seed=self.seed))
        of = owners[words[taken]]
        first, n = offsets_of(counts)[:-1][of], counts[of]
        u = draws(batch, of, taken - first, seed=self.seed, use=WHICH)
        other = words[first + (taken - first + 1 + (u * (n - 1)).astype(np.int64)) % n]
        new_begins, new_lengths = begins.copy(), lengths.copy()
        new_begins[words[taken]], new_lengths[words[taken]] = begins[other], lengths[other]
        return of_pieces(len(batch), owners, (batch.data, new_begins, new_lengths)), len(taken), len(words)
