"""What a study says about its streams: the same for all of its variants, or they could not be compared."""

from __future__ import annotations

from typing import Literal, TypeAlias

from dq.config import StrictModel

Unit: TypeAlias = Literal["piece", "document"]
Draw: TypeAlias = Literal["independent", "cluster"]


class StreamConfig(StrictModel):
    """How streams are made of documents."""

    unit: Unit = "piece"
    """What is drawn: pieces of at most `context` tokens, mixed well; or documents, whole and in a row, for studies of
    memorisation and of long context. A long document then fills many steps alone: seeds differ three times as much."""
    draw: Draw = "independent"
    """Each for itself, so that near-copies hardly meet in a stream that is small beside its corpus; or `cluster`: near-
    copies together, as a stream of the whole corpus would have them, so that deduplication shows at small budgets."""
