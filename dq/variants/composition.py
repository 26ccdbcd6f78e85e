"""What one seed's stream has of every source: tokens, unique tokens, epochs, documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dq.arrays import distinct
from dq.results import Result
from dq.variants.documents import Universe
from dq.variants.order import StreamOrder


@dataclass(frozen=True)
class SourceMeasure(Result):
    """One source in one stream, or all of them.

    Attributes:
        source: its name; empty for all of the stream.
        tokens: in the stream, BOS included.
        unique_tokens: of these, what is there for the first time.
        documents: of which the stream has a piece.
    """

    source: str
    tokens: int
    unique_tokens: int
    documents: int

    @property
    def epochs(self) -> float:
        """Tokens over unique tokens."""
        return self.tokens / max(1, self.unique_tokens)

    def record(self) -> dict[str, object]:
        """With the epochs."""
        return {**super().record(), "epochs": self.epochs}


def compose(universe: Universe, order: StreamOrder, *, budget_tokens: int) -> tuple[SourceMeasure, ...]:
    """The whole stream, then each source that it has, by name."""
    lengths = np.diff(np.minimum(order.starts, budget_tokens))
    sources = universe.sources[order.documents]
    found = []
    for source in ("", *sorted(set(sources))):
        mine = np.ones(len(lengths), np.bool_) if not source else sources == source
        found.append(
            SourceMeasure(
                source=source,
                tokens=int(lengths[mine].sum()),
                unique_tokens=int(lengths[mine & order.first].sum()),
                documents=len(distinct(order.documents[mine])),
            )
        )
    return tuple(found)
