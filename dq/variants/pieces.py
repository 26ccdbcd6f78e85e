"""Documents cut into pieces, the unit that streams are made of.

A piece is tokens [i C, (i + 1) C) of BOS + document, C the context. No BOS stands before later pieces: a document's
pieces are its tokens, each once, and evaluation cuts long documents the same way. Documents remain the unit of ids,
verdicts, deduplication, exclusion and noise; where a study wants them whole, each is one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.arrays import I64, U64, Array
from dq.text import mix64


@dataclass(frozen=True)
class Pieces:
    """Some pieces, in some order.

    Attributes:
        documents: int64 (m,), global number of each one's document.
        begins: int64 (m,), its first token in the document, whose BOS is token 0.
        lengths: int64 (m,), its tokens.
    """

    documents: I64
    begins: I64
    lengths: I64

    def __len__(self) -> int:
        return len(self.documents)

    @classmethod
    def joined(cls, groups: Sequence[Pieces]) -> Pieces:
        """The pieces of all groups, one group after another."""
        names = ("documents", "begins", "lengths")
        return cls(*(np.concatenate([getattr(group, name) for group in groups]) for name in names))

    def take(self, chosen: Array | slice) -> Pieces:
        """Some of them: by number, by mark or by slice."""
        return Pieces(self.documents[chosen], self.begins[chosen], self.lengths[chosen])

    def keys(self, content_keys: U64) -> U64:
        """The identity of each one's content, given that of its document: uint64 (m,).

        That of a first piece is its document's: short documents are drawn alike whatever the context.
        """
        return np.where(self.begins == 0, content_keys, mix64(content_keys, self.begins))


def cut_documents(documents: I64, lengths: I64, *, piece_tokens: int | None) -> Pieces:
    """All pieces of documents of these lengths, in their order; whole documents where ``piece_tokens`` is None."""
    if piece_tokens is None:
        return Pieces(documents, np.zeros_like(lengths), lengths)
    counts = -(-lengths // piece_tokens)
    owners = np.repeat(np.arange(len(documents)), counts)
    begins = (np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]) * piece_tokens
    return Pieces(documents[owners], begins, np.minimum(piece_tokens, lengths[owners] - begins))
