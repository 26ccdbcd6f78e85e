"""The shingles of texts that some others have too.

Of most texts hardly any shingle stands elsewhere. Those that are looked for are kept as marks in a table of bits, which
fits the caches: a shingle without its mark is turned away at once, and the few that are left, of which some have the
mark of another, are all that is sorted and compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dq.arrays import U64, read_only
from dq.dedup.config import ShingleConfig
from dq.dedup.kernels.known import IN_WORD, Marks, mark, marked_shingles
from dq.dedup.normalization import rules
from dq.dedup.shingles import Shingles
from dq.text import TextBatch

ALL = Marks(read_only(np.full(1, 2**64 - 1, np.uint64)), 64 - int(IN_WORD).bit_length())
"""Every hash is marked."""
BITS_A_VALUE = 16  # or up to twice as many: one in 16 to 32 of other shingles has a mark


def marks_of(values: Sequence[U64]) -> Marks:
    """Marks of hashes."""
    count = sum(map(len, values))
    bits = max(int(IN_WORD).bit_length(), int(np.ceil(np.log2(BITS_A_VALUE * max(1, count)))))
    marks = Marks(np.zeros(1 << (bits - int(IN_WORD).bit_length()), np.uint64), 64 - bits)
    for some in values:
        mark(read_only(some), marks)
    return marks._replace(bits=read_only(marks.bits))


def known_shingles(batch: TextBatch, lengths: Sequence[int], marks: Marks) -> list[Shingles]:
    """The shingles of texts that may be among the marked ones, for each of the ascending ``lengths`` of n-grams.

    They are those of :func:`folded_words`; the texts are read once for all lengths.
    """
    if not lengths:
        return []
    texts = (read_only(batch.data), read_only(batch.offsets))
    hashes, ends = marked_shingles(*texts, rules(folded_words(1)), read_only(np.array(lengths, np.int64)), marks)
    return [Shingles(row[: offsets[-1]], offsets) for row, offsets in zip(hashes, ends, strict=True)]


def folded_words(ngram: int) -> ShingleConfig:
    """N-grams of words as prose has them, whatever the text: a quotation stands in a page of markup as well."""
    return ShingleConfig(normalization="folded", ngram=ngram)
