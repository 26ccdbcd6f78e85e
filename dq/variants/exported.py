"""A stream as others are to have it: in the order of its row, piece by piece, a bounded part of it at a time.

Windows are not mixed: whoever trains elsewhere cuts windows of his own. A piece stands whole where the row has it, so
that formats with documents have one a piece; the last one is cut at the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I32, I64
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import MAX_U16
from dq.variants.documents import Universe
from dq.variants.parts import Part
from dq.variants.row import Row
from dq.variants.texts import MOST_BYTES, Decoder

CHUNK_TOKENS = 1 << 20
SHARD_TOKENS = 1 << 24
"""Of a file of text: about 60 MB."""


@dataclass(frozen=True)
class Chunk:
    """Some pieces in a row.

    Attributes:
        first: the number of the first one.
        tokens: int32, of all of them, one behind another.
        lengths: int64, of each one.
    """

    first: int
    tokens: I32
    lengths: I64


@dataclass(frozen=True, eq=False)
class Exported:
    """A stream, and what names and decodes it.

    Attributes:
        ids: of all documents of the corpus, in its order.
    """

    universe: Universe
    row: Row
    parts: Sequence[Part]
    budget_tokens: int
    ids: pl.Series
    tokenizer: Tokenizer
    heldout: Heldout

    def __len__(self) -> int:
        """Pieces."""
        return len(self.row.order.documents)

    @property
    def dtype(self) -> str:
        """Of tokens in files: ``<u2`` or ``<u4``."""
        return "<u2" if self.tokenizer.vocabulary_size <= MAX_U16 else "<u4"

    @cached_property
    def bounds(self) -> I64:
        """Where each piece begins in the row, and where the last one ends: at the budget."""
        return np.minimum(self.row.order.starts, self.budget_tokens)

    def chunks(self, first: int = 0, end: int | None = None) -> Iterator[Chunk]:
        """Pieces from ``first`` to ``end``, about a million tokens at a time."""
        end = len(self) if end is None else end
        while first < end:
            last = int(np.searchsorted(self.bounds, self.bounds[first] + CHUNK_TOKENS, side="right")) - 1
            last = min(end, max(first + 1, last))
            bounds = self.bounds[first : last + 1]
            yield Chunk(first, self.row.tokens(int(bounds[0]), int(bounds[-1])), np.diff(bounds))
            first = last

    def shards(self) -> Iterator[tuple[int, int]]:
        """The pieces of each file of text: the first one, and the one behind the last."""
        cuts = np.unique(np.searchsorted(self.bounds[:-1], np.arange(0, self.budget_tokens, SHARD_TOKENS)))
        yield from zip(cuts.tolist(), [*cuts[1:].tolist(), len(self)], strict=True)

    @property
    def validation_sets(self) -> list[str]:
        """What a format with a validation split has in it: the neutral sets, which no variant has seen, or all."""
        return self.heldout.neutral or self.heldout.sets

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.tokenizer.file)

    def texts(self, chunk: Chunk) -> list[str]:
        """The text of each piece, without BOS."""
        ends = np.cumsum(chunk.lengths)
        begins = ends - chunk.lengths + (self.row.order.pieces.begins[chunk.first : chunk.first + len(ends)] == 0)
        return [
            self._decoder.text(chunk.tokens[begin:end], self.row.following(chunk.first + at, MOST_BYTES))
            for at, (begin, end) in enumerate(zip(begins, ends, strict=True))
        ]

    def table(self, chunk: Chunk) -> pl.DataFrame:
        """The pieces with their text: id, source, part, copy (0 the first time), begin (its first token), tokens."""
        order, some = self.row.order, slice(chunk.first, chunk.first + len(chunk.lengths))
        documents = order.documents[some]
        names = np.array([part.name for part in self.parts], object)
        return pl.DataFrame(
            {
                "id": self.ids.gather(documents),
                "source": pl.Series(self.universe.sources[documents].tolist(), dtype=pl.String),
                "part": pl.Series(names[order.parts[some]].tolist(), dtype=pl.String),
                "copy": order.copies[some],
                "begin": order.pieces.begins[some],
                "tokens": chunk.lengths,
                "text": pl.Series(self.texts(chunk), dtype=pl.String),
            }
        )


def shard_path(folder: Path, number: int, ending: str) -> Path:
    """A file of an export by its number."""
    return folder / f"{number:05d}{ending}"
