"""What only a verified deduplication would have removed."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field

from dq.variants.ingredient import Layer
from dq.variants.noise.copies import Copies
from dq.variants.noise.words import Words


@final
class NearDuplicates(Copies):
    """Documents, a share of the tokens being copies of the rest with a share of the words replaced."""

    kind: Literal["near_duplicates"] = "near_duplicates"
    edited: float = Field(default=0.05, gt=0, le=1)
    """Share of the words of a copy that are replaced by others of its document."""
    seed: int = Field(default=0, ge=0)
    """Decides which words that is."""

    @property
    def copy_layers(self) -> tuple[Layer, ...]:
        """Replaced words."""
        return (Words(dose=self.edited, seed=self.seed),)
