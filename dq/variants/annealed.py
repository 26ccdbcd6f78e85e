"""A stream that is one variant's at first and another one's in the cooldown: for studies of annealing.

The cooldown is drawn by other random numbers than the trunk, for every variant alike. So any piece of a source has the
same chance to have been in the trunk before, whichever variant has it in its cooldown: no variant is fresher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dq.arrays import I32
from dq.variants.stream import Stream

if TYPE_CHECKING:
    from dq.variants.variant import Variant

DRAWN_APART = 1_000_000
"""Added to the seed of a cooldown: beyond any that a trunk is drawn with."""


@dataclass(frozen=True)
class Trunk:
    """What is trained on before the cooldown.

    Attributes:
        variant: whose stream it is, at the budget of the whole run.
        tokens: of the trunk, whole windows.
    """

    variant: Variant
    tokens: int

    def to_dict(self) -> dict[str, Any]:
        """As a manifest has it."""
        spec = self.variant.spec.model_dump(mode="json")
        return {"name": self.variant.name, "spec": spec, "tokens": self.tokens}


class AnnealedStream:
    """The windows of a trunk, then those of a cooldown; as `dq.training` asks for them.

    Attributes:
        n_tokens: of both together.
    """

    def __init__(self, trunk: Stream, cooldown: Stream, *, trunk_tokens: int) -> None:
        self.n_tokens = trunk_tokens + cooldown.n_tokens
        self._trunk, self._cooldown, self._trunk_tokens = trunk, cooldown, trunk_tokens

    def windows(self, first: int, count: int) -> I32:
        """Windows ``first`` to ``first + count`` as they are seen: int32 (count, context + 1)."""
        parts_at = self._trunk_tokens // self._trunk.context
        before = max(0, min(count, parts_at - first))
        found = [self._trunk.windows(first, before)] if before else []
        if count > before:
            found.append(self._cooldown.windows(first + before - parts_at, count - before))
        return np.concatenate(found)

    def unique_tokens(self, tokens_seen: int) -> int:
        """Tokens seen for the first time in their part; what a cooldown shares with its trunk counts twice."""
        before = min(tokens_seen, self._trunk_tokens)
        return self._trunk.unique_tokens(before) + self._cooldown.unique_tokens(tokens_seen - before)

    def epoch(self, tokens_seen: int) -> float:
        """Tokens seen over unique tokens seen."""
        return tokens_seen / max(1, self.unique_tokens(tokens_seen))
